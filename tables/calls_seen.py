"""The call_ids that were seen, each with the offset that brought it first: dedup's memory (spec section 2.2), in RocksDB.

A Faust table whose rows are written per batch: one acknowledged changelog send for all new ids, then RocksDB. Faust's own item
assignment would cost fifty times a RocksDB put and act before the changelog is acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import faust
from faust.types import TP

from voc_stream.runtime.publisher import Outgoing, Publisher

NAME = "calls-seen"
# Faust's default is 2 GiB for each partition.
BLOCK_CACHE_BYTES = 4 << 20


class CallsSeen:
    """The table; a row lives in the partition of the record that brought it.

    Args:
        app: the Faust app.
        partitions: of `calls.polled`, which the changelog must match.
        publisher: sends to the changelog.
    """

    def __init__(self, app: Any, partitions: int, publisher: Publisher) -> None:
        self._publisher = publisher
        self._table = app.Table(
            NAME,
            partitions=partitions,
            key_type=bytes,
            value_type=bytes,
            schema=faust.Schema(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"),
            options={"driver": "rocksdict", "block_cache_size": BLOCK_CACHE_BYTES, "block_cache_compressed_size": BLOCK_CACHE_BYTES},
        )

    def lookup(self, partition: int, call_ids: Iterable[str]) -> dict[str, int]:
        """Return the first offset of those ids that were seen."""
        rows = self._rows(partition)
        found = {call_id: rows.get(call_id.encode()) for call_id in call_ids}
        return {call_id: int(value) for call_id, value in found.items() if value is not None}

    async def remember(self, partition: int, first_seen: Mapping[str, int]) -> None:
        """Store ids with the offset that brought them; returns when the changelog has acknowledged them.

        Raises:
            OutageError: Kafka did not acknowledge; nothing was remembered.
        """
        if not first_seen:
            return
        entries = [(call_id.encode(), str(offset).encode()) for call_id, offset in first_seen.items()]
        changelog = self._table.changelog_topic.get_topic_name()
        sent = await self._publisher.publish([Outgoing(changelog, key, value, partition=partition) for key, value in entries])
        rows = self._rows(partition)
        for key, value in entries:
            rows.put(key, value)
        self._table.data.set_persisted_offset(TP(changelog, partition), max(sent))

    def _rows(self, partition: int) -> Any:
        return self._table.data._db_for_partition(partition)  # noqa: SLF001 - Faust's item access needs a current event and works row by row
