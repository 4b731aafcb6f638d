"""The ledger of windows (docs/adr/0012) in a Faust table: rows of `stages/ranges.py`, in the partition of the records that they speak of.

Rows are acknowledged by the changelog before they are in RocksDB, and RocksDB is told how far it is only by rows that are in it: what is
acknowledged and not kept comes back at the next recovery.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import faust
from faust.types import TP

from voc_stream import topics
from voc_stream.runtime.publisher import Outgoing, Publisher

# Faust's default is 2 GiB for each partition.
BLOCK_CACHE_BYTES = 1 << 20
WRITE_BUFFER_BYTES = 4 << 20

Entry = tuple[bytes, bytes | None]
"""Key and value; without a value the row is removed."""


class EventRanges:
    """The table.

    Args:
        app: the Faust app.
        partitions: of the topics of customer events, which the changelog must match.
        publisher: sends to the changelog.
    """

    def __init__(self, app: Any, partitions: int, publisher: Publisher) -> None:
        self._publisher = publisher
        self._writers: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._table = app.Table(
            topics.EVENT_RANGES,
            partitions=partitions,
            key_type=bytes,
            value_type=bytes,
            schema=faust.Schema(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"),
            options={
                "driver": "rocksdict",
                "block_cache_size": BLOCK_CACHE_BYTES,
                "block_cache_compressed_size": BLOCK_CACHE_BYTES,
                "write_buffer_size": WRITE_BUFFER_BYTES,
            },
        )

    def writer(self, partition: int) -> asyncio.Lock:
        """Return the lock that a writer holds from `send` to `keep`: rows enter RocksDB in the changelog's order."""
        return self._writers[partition]

    def rows(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return the rows whose keys begin so."""
        for key, value in self._store(partition).items(from_key=prefix):
            if not key.startswith(prefix):
                return
            yield key, value

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return a row, None where there is none."""
        value: bytes | None = self._store(partition).get(key)
        return value

    async def send(self, partition: int, entries: Sequence[Entry]) -> int:
        """Write to the changelog and wait for its acknowledgement; returns the offset of the last.

        Raises:
            OutageError: Kafka did not acknowledge; any may have been written.
        """
        changelog = self._table.changelog_topic.get_topic_name()
        sent = await self._publisher.publish([Outgoing(changelog, key, value, partition=partition) for key, value in entries])
        return max(sent)

    def keep(self, partition: int, entries: Sequence[Entry], offset: int) -> None:
        """Put acknowledged rows into RocksDB, which is then as far as the changelog's offset."""
        store = self._store(partition)
        for key, value in entries:
            if value is None:
                store.delete(key)
            else:
                store.put(key, value)
        self._table.data.set_persisted_offset(TP(self._table.changelog_topic.get_topic_name(), partition), offset)

    def _store(self, partition: int) -> Any:
        return self._table.data._db_for_partition(partition)  # noqa: SLF001 - Faust's item access needs a current event and works row by row
