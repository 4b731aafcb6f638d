"""The ledger of windows (docs/adr/0012) in a Faust table: rows of `stages/ranges.py`, in the partition of the records that they speak of.

Rows are acknowledged by the changelog before they are in RocksDB, and RocksDB is told how far it is only by rows that are in it: what is
acknowledged and not kept comes back at the next recovery.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tables.raw import RawTable
from voc_stream import topics
from voc_stream.runtime.publisher import Publisher

# Of each partition: with a backlog all of them are full. Rows are read once, when they are packed or a partition is claimed.
BLOCK_CACHE_BYTES = 128 << 10
WRITE_BUFFER_BYTES = 512 << 10


class EventRanges(RawTable):
    """The table.

    Args:
        app: the Faust app.
        partitions: of the topics of customer events.
        publisher: sends to the changelog.
    """

    def __init__(self, app: Any, partitions: int, publisher: Publisher) -> None:
        super().__init__(app, topics.EVENT_RANGES, partitions, publisher, block_cache=BLOCK_CACHE_BYTES, write_buffer_size=WRITE_BUFFER_BYTES)

    def rows(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return the rows whose keys begin so.

        Raises:
            StateError: RocksDB cannot be read.
        """
        for key, value in self.items(partition, prefix):
            if not key.startswith(prefix):
                return
            yield key, value

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return a row, None where there is none.

        Raises:
            StateError: RocksDB cannot be read.
        """
        with self.store(partition) as rows:
            value: bytes | None = rows.get(key)
        return value
