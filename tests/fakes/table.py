"""A Faust table without Faust, as our tables use one."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

from faust.types import TP


class Rows(dict[bytes, bytes]):
    """A RocksDB of one partition."""

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def delete(self, key: bytes) -> None:
        self.pop(key, None)

    def items(self, from_key: bytes = b"") -> Iterator[tuple[bytes, bytes]]:  # type: ignore[override]
        return iter([(key, self[key]) for key in sorted(self) if key >= from_key])


class FakeTable:
    """A Faust table: rows by partition, and the changelog offsets that are persisted."""

    def __init__(self, changelog: str) -> None:
        self.partitions: dict[int, Rows] = {}
        self.persisted: dict[TP, int] = {}
        self.data = self
        self.changelog_topic = SimpleNamespace(get_topic_name=lambda: changelog)

    def _db_for_partition(self, partition: int) -> Rows:
        return self.partitions.setdefault(partition, Rows())

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        self.persisted[tp] = offset
