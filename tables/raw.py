"""What our tables have in common: rows of bytes, written per batch to the changelog, acknowledged, and only then to RocksDB.

Faust's own item assignment would cost fifty times a RocksDB put and act before the changelog is acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import faust
from faust.types import TP

from voc_stream.runtime.publisher import Outgoing, Publisher

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
        self._publisher = publisher
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

    async def send(self, partition: int, entries: Sequence[Entry]) -> int:
        """Write to the changelog and wait for its acknowledgement; returns the offset of the last.

        Raises:
            OutageError: Kafka did not acknowledge; any may have been written.
        """
        sent = await self._publisher.publish([Outgoing(self.changelog, key, value, partition=partition) for key, value in entries])
        return max(sent)

    def keep(self, partition: int, entries: Sequence[Entry], offset: int) -> None:
        """Put acknowledged rows into RocksDB, which is then as far as the changelog's offset."""
        store = self.store(partition)
        for key, value in entries:
            if value is None:
                store.delete(key)
            else:
                store.put(key, value)
        self._table.data.set_persisted_offset(TP(self.changelog, partition), offset)

    def store(self, partition: int) -> Any:
        """Return the RocksDB of a partition."""
        return self._table.data._db_for_partition(partition)  # noqa: SLF001 - Faust's item access needs a current event and works row by row
