"""Which event ids a partition has seen, each with the offset that brought it first: a redelivery is no duplicate (spec section 3).

Bounded by time, and by a number of ids that all partitions of a worker share. A partition sees its own records only: producers key
by tenant or call, so that copies meet.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from voc_stream.events.event_ids import packed
from voc_stream.stages.id_table import LOWEST, IdTable
from voc_stream.stages.ranges import DIGEST_BYTES, Digests, Offsets, Range, Seen

# A table is rebuilt when so much of it is forgotten.
_MOST_STALE = 0.25
# Rows are read in so large parts: small windows are many.
_PART = 1 << 15
_MOST_TENANTS = 10_000
_salts: dict[str, bytes] = {}


def digests_of(tenant_ids: Sequence[str], event_ids: Sequence[str]) -> Digests:
    """Return two words for each event; within a tenant they are as different as the ids are."""
    salts = b"".join([_salts.get(tenant_id) or _salt(tenant_id) for tenant_id in tenant_ids])
    digests: Digests = (np.frombuffer(salts, dtype="<u8") ^ np.frombuffer(packed(event_ids), dtype="<u8")).reshape(-1, 2)
    return digests


def _salt(tenant_id: str) -> bytes:
    if len(_salts) >= _MOST_TENANTS:
        _salts.clear()
    salt = _salts[tenant_id] = hashlib.blake2b(tenant_id.encode(), digest_size=DIGEST_BYTES).digest()
    return salt


class _Stretch(NamedTuple):
    """Ids that are forgotten together: those of one window."""

    last: int
    processed_ms: int
    size: int


class SeenIds:
    """The ids of one partition.

    Args:
        horizon: shares the number of ids out.
    """

    def __init__(self, horizon: Horizon) -> None:
        self._table = IdTable()
        self._stretches: deque[_Stretch] = deque()
        self._floor = LOWEST
        self._horizon = horizon
        self.live = 0
        horizon.join(self)

    @property
    def nbytes(self) -> int:
        """Return the memory it takes."""
        return self._table.nbytes

    def enter(self, ids: Digests, offsets: Offsets) -> Offsets:
        """Remember what is new, and return for each id the offset that brought it first: its own, or an earlier one's if it is a duplicate."""
        self._horizon.make_room(len(ids))
        return self._table.enter(ids, offsets, self._floor)

    def close_window(self, last: int, processed_ms: int, count: int) -> None:
        """Note that the ids up to an offset, `count` new ones, belong to one window."""
        self._stretches.append(_Stretch(last, processed_ms, count))
        self.live += count

    def making_ready(self, count: int) -> Iterator[None]:
        """Make room for so many ids to come, slice by slice; in between others may go on, but nothing may be entered here.

        Without it `enter` makes the room at once, which takes half a second for two million ids.
        """
        stale = len(self._table) - self.live
        if stale > _MOST_STALE * len(self._table) or not self._table.has_room(count):
            yield from self._table.rebuilding(self._floor, spare=count)

    def recalling(self, rows: Sequence[Range | Seen]) -> Iterator[None]:
        """Remember what the ledger says, in order of offset, slice by slice; where copies are in it, the first counts."""
        yield from self.making_ready(min(sum(map(_count, rows)), self._horizon.most))
        part: list[Range | Seen] = []
        size = 0
        for row in rows:
            part.append(row)
            size += _count(row)
            if size >= _PART:
                yield from self._recalling(part)
                part, size = [], 0
        if part:
            yield from self._recalling(part)

    def forget_before(self, processed_ms: int) -> None:
        """Forget windows that were formed before a time."""
        while self._stretches and self._stretches[0].processed_ms < processed_ms:
            self.forget_oldest()

    def forget_oldest(self) -> int:
        """Forget the oldest window; returns how many ids that makes free."""
        oldest = self._stretches.popleft()
        self._floor = max(self._floor, oldest.last + 1)
        self.live -= oldest.size
        return oldest.size

    @property
    def windows(self) -> int:
        """Return how many windows it remembers."""
        return len(self._stretches)

    def leave(self) -> None:
        """Give its share back."""
        self._horizon.leave(self)

    def _recalling(self, rows: Sequence[Range | Seen]) -> Iterator[None]:
        ids = np.concatenate([row.ids for row in rows])
        offsets = np.concatenate([row.offsets for row in rows])
        order = np.argsort(offsets, kind="stable")
        yield from self.making_ready(len(ids))
        self.enter(ids[order], offsets[order])
        for row in rows:
            self.close_window(row.last, row.processed_ms, _count(row))
        yield


def _count(row: Range | Seen) -> int:
    return len(row.digests) // DIGEST_BYTES


class Horizon:
    """How many ids the partitions of a worker remember together.

    Attributes:
        most: ids.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._members: set[SeenIds] = set()

    @property
    def live(self) -> int:
        """Return how many are remembered."""
        return sum(member.live for member in self._members)

    def join(self, member: SeenIds) -> None:
        """Count a partition's ids."""
        self._members.add(member)

    def leave(self, member: SeenIds) -> None:
        """Count them no longer."""
        self._members.discard(member)

    def make_room(self, count: int) -> None:
        """Let the partitions that remember most forget their oldest, until there is room for so many more."""
        excess = self.live + count - self.most
        while excess > 0:
            largest = max(self._members, key=lambda member: member.live)
            if not largest.windows:
                return
            excess -= largest.forget_oldest()
