"""A Faust table without Faust, as our tables use one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from faust.types import TP


class Cursor:
    """Goes through the rows in order of their keys."""

    def __init__(self, rows: dict[bytes, bytes]) -> None:
        self._rows = sorted(rows.items())
        self._place = 0

    def seek(self, key: bytes) -> None:
        self._place = sum(1 for known, _ in self._rows if known < key)

    def valid(self) -> bool:
        return self._place < len(self._rows)

    def key(self) -> bytes:
        return self._rows[self._place][0]

    def value(self) -> bytes:
        return self._rows[self._place][1]

    def next(self) -> None:
        self._place += 1

    def status(self) -> None:
        pass


class Rows(dict[bytes, bytes]):
    """A RocksDB of one partition."""

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def delete(self, key: bytes) -> None:
        self.pop(key, None)

    def iter(self) -> Cursor:
        return Cursor(self)


class FakeTable:
    """A Faust table: rows by partition, and the changelog offsets that are persisted; `faults` are raised by the next uses."""

    def __init__(self, changelog: str) -> None:
        self.partitions: dict[int, Rows] = {}
        self.persisted: dict[TP, int] = {}
        self.faults: list[Exception] = []
        self.data = self
        self.changelog_topic = SimpleNamespace(get_topic_name=lambda: changelog)

    @contextmanager
    def guarded(self, partition: int) -> Iterator[Rows]:
        if self.faults:
            raise self.faults.pop()
        yield self.partitions.setdefault(partition, Rows())

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        self.persisted[tp] = offset

    def rows(self) -> int:
        return sum(map(len, self.partitions.values()))

    def octets(self) -> int:
        return sum(len(key) + len(value) for rows in self.partitions.values() for key, value in rows.items())
