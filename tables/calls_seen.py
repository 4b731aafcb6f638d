"""The call_ids that were seen, each with the offset that brought it first, and when: dedup's memory (spec section 2.2), in RocksDB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from tables.raw import Entry, RawTable
from voc_stream import topics
from voc_stream.runtime.publisher import Publisher

BLOCK_CACHE_BYTES = 4 << 20
# For each row that is written so many others are looked at, and some whenever there is work: a table is gone through in a quarter of the
# time in which it fills, and never holds more than one and a quarter of what comes within the window.
LOOKS_A_ROW = 4
LOOKS_A_CHUNK = 100


class CallsSeen(RawTable):
    """The table; a row lives in the partition of the record that brought it.

    Args:
        app: the Faust app.
        partitions: of `calls.polled`.
        publisher: sends to the changelog.
    """

    def __init__(self, app: Any, partitions: int, publisher: Publisher) -> None:
        super().__init__(app, topics.CALLS_SEEN, partitions, publisher, block_cache=BLOCK_CACHE_BYTES)
        self._looked_up_to: dict[int, bytes] = {}

    def lookup(self, partition: int, call_ids: Iterable[str]) -> dict[str, int]:
        """Return the first offset of those ids that were seen.

        Raises:
            StateError: RocksDB cannot be read.
        """
        with self.store(partition) as rows:
            found = {call_id: rows.get(call_id.encode()) for call_id in call_ids}
        return {call_id: int(value.partition(b" ")[0]) for call_id, value in found.items() if value is not None}

    async def remember(self, partition: int, first_seen: Mapping[str, int], now: datetime) -> None:
        """Store ids with the offset that brought them; returns when the changelog has acknowledged them.

        Raises:
            OutageError: Kafka did not acknowledge, or the disk has no room; try again with the same ids.
            StateError: RocksDB cannot be written.
        """
        seconds = int(now.timestamp())
        await self._write(partition, [(call_id.encode(), b"%d %d" % (offset, seconds)) for call_id, offset in first_seen.items()])

    async def forget(self, partition: int, before: datetime, written: int) -> None:
        """Look at some rows, further on than the last time, and remove those that were seen before a time.

        Args:
            partition: of the rows.
            before: the end of the window.
            written: how many rows were just written: their number decides how many are looked at.

        Raises:
            OutageError: as `remember`.
            StateError: RocksDB cannot be used.
        """
        most = LOOKS_A_CHUNK + LOOKS_A_ROW * written
        looked = list(islice(self.items(partition, self._looked_up_to.get(partition, b"")), most))
        self._looked_up_to[partition] = looked[-1][0] + b"\0" if len(looked) == most else b""
        seconds = before.timestamp()
        await self._write(partition, [(key, None) for key, value in looked if int(value.partition(b" ")[2] or 0) < seconds])

    async def _write(self, partition: int, entries: list[Entry]) -> None:
        if entries:
            async with self.writer(partition):
                self.keep(partition, entries, await self.send(partition, entries))
