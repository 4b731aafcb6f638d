"""The call_ids that were seen, each with the offset that brought it first: dedup's memory (spec section 2.2), in RocksDB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tables.raw import RawTable
from voc_stream import topics
from voc_stream.runtime.publisher import Publisher

BLOCK_CACHE_BYTES = 4 << 20


class CallsSeen(RawTable):
    """The table; a row lives in the partition of the record that brought it.

    Args:
        app: the Faust app.
        partitions: of `calls.polled`.
        publisher: sends to the changelog.
    """

    def __init__(self, app: Any, partitions: int, publisher: Publisher) -> None:
        super().__init__(app, topics.CALLS_SEEN, partitions, publisher, block_cache=BLOCK_CACHE_BYTES)

    def lookup(self, partition: int, call_ids: Iterable[str]) -> dict[str, int]:
        """Return the first offset of those ids that were seen."""
        rows = self.store(partition)
        found = {call_id: rows.get(call_id.encode()) for call_id in call_ids}
        return {call_id: int(value) for call_id, value in found.items() if value is not None}

    async def remember(self, partition: int, first_seen: Mapping[str, int]) -> None:
        """Store ids with the offset that brought them; returns when the changelog has acknowledged them.

        Raises:
            OutageError: Kafka did not acknowledge; nothing was remembered.
        """
        if first_seen:
            entries = [(call_id.encode(), str(offset).encode()) for call_id, offset in first_seen.items()]
            self.keep(partition, entries, await self.send(partition, entries))
