"""What our tables have in common: rows of bytes, written per batch to the changelog, acknowledged, and only then to RocksDB.

Faust's own item assignment would cost fifty times a RocksDB put and act before the changelog is acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import faust
from faust.types import TP

from voc_stream.runtime import metrics
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.publisher import Publisher
from voc_stream.runtime.state import Store
from voc_stream.tracing.current import told_as

Entry = tuple[bytes, bytes | None]
"""Key and value; without a value the row is removed."""


class RawTable:
    """A Faust table of bytes.

    Args:
        app: the Faust app.
        name: of the table; its changelog is named after it.
        partitions: of the topics whose partitions its rows lie in, which the changelog must match.
        publisher: sends to the changelog.
        block_cache: bytes for each partition; Faust's default is 2 GiB.
        options: of the RocksDB driver, besides.
    """

    def __init__(self, app: Any, name: str, partitions: int, publisher: Publisher, *, block_cache: int, **options: int) -> None:
        self.name = name
        self._publisher = publisher
        self._writers: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._table = app.Table(
            name,
            partitions=partitions,
            key_type=bytes,
            value_type=bytes,
            schema=faust.Schema(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"),
            options={"driver": "rocksdict", "block_cache_size": block_cache, "block_cache_compressed_size": block_cache, **options},
        )

    @property
    def changelog(self) -> str:
        """Return the name of its changelog's topic."""
        name: str = self._table.changelog_topic.get_topic_name()
        return name

    def writer(self, partition: int) -> asyncio.Lock:
        """Return the lock that a writer holds from `send` to `keep`: rows enter RocksDB in the changelog's order."""
        return self._writers[partition]

    @told_as("ledger write")
    async def send(self, partition: int, entries: Sequence[Entry]) -> int:
        """Write to the changelog and wait for its acknowledgement; returns the offset of the last.

        Raises:
            OutageError: Kafka did not acknowledge; any may have been written.
        """
        sent = await self._publisher.publish([Outgoing(self.changelog, key, value, partition=partition) for key, value in entries])
        return max(sent)

    def keep(self, partition: int, entries: Sequence[Entry], offset: int) -> None:
        """Put acknowledged rows into RocksDB, which is then as far as the changelog's offset.

        Raises:
            OutageError: there is no room on the disk. Until the same entries are kept nothing later of the partition may be.
            StateError: RocksDB cannot be written.
        """
        with self.store(partition) as rows:
            for key, value in entries:
                if value is None:
                    rows.delete(key)
                else:
                    rows.put(key, value)
            self._table.data.set_persisted_offset(TP(self.changelog, partition), offset)

    def store(self, partition: int) -> AbstractContextManager[Any]:
        """Lend the RocksDB of a partition: Faust's item access needs a current event and works row by row."""
        lent: AbstractContextManager[Any] = self._table.data.guarded(partition)
        return lent

    def items(self, partition: int, from_key: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return the rows from a key on, in order of their keys.

        Raises:
            StateError: RocksDB cannot be read. (Its own iteration would just end there.)
        """
        with self.store(partition) as rows:
            cursor = rows.iter()
            cursor.seek(from_key)
            while cursor.valid():
                if (key := cursor.key()) != Store.offset_key:
                    yield key, cursor.value()
                cursor.next()
            cursor.status()

    def measure(self) -> None:
        """Keep this table's metrics true."""
        metrics.TABLE_ROWS.labels(self.name).set(self._table.data.rows())
        metrics.TABLE_BYTES.labels(self.name).set(self._table.data.octets())
