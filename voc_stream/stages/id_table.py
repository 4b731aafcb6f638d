"""Ids of 16 bytes and the offset that brought each first, in flat arrays: 24 bytes a place, about 50 an id; whole batches at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from voc_stream.stages.ranges import Digests, Offsets

# Three fifths full, a search looks at two places on average; then the table grows.
_FULLEST = 0.6
_GROWTH = 1.6
_SMALLEST = 256
# So many at once stay in the processor's cache.
_SLICE = 1 << 15
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xC2B2AE3D27D4EB4F)
_HALF = np.uint64(32)
_FREE = np.uint64(0)
_ONE = np.uint64(1)
_STRIDES = np.uint64(7)

Words: TypeAlias = NDArray[np.uint64]


class IdTable:
    """A hash table with open addressing."""

    _low: Words
    _high: Words
    _offsets: Offsets
    _count: int

    def __init__(self) -> None:
        for _ in self._making(0):
            pass

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Return the memory it takes."""
        return self._low.nbytes + self._high.nbytes + self._offsets.nbytes

    def enter(self, ids: Digests, offsets: Offsets, floor: int = 0) -> Offsets:
        """Add what is not here yet, and return the offset that brought each id first: its own, or that of an earlier record.

        Args:
            ids: may hold an id more than once.
            offsets: of the records, ascending.
            floor: what came before this offset is forgotten: it counts as not here.
        """
        if not self.has_room(len(ids)):
            for _ in self.rebuilding(floor, spare=len(ids)):
                pass
        low, high = _words(ids)
        firsts = [self._enter(low[part], high[part], offsets[part], floor) for part in _slices(len(ids))]
        return firsts[0] if len(firsts) == 1 else np.concatenate([offsets[:0], *firsts])

    def has_room(self, count: int) -> bool:
        """Whether so many more may be entered without rebuilding."""
        return self._count + count <= len(self._low) * _FULLEST

    def rebuilding(self, floor: int, *, spare: int = 0) -> Iterator[None]:
        """Keep what came at `floor` or later, in a table with room for `spare` more and for growth: slice by slice, a few milliseconds each.

        Nothing may be entered before the last slice; given up before it, nothing has changed.
        """
        low, high, offsets = self._low, self._high, self._offsets
        kept = int(np.count_nonzero(offsets >= floor))
        fresh = IdTable()
        yield from fresh._making(int((kept + spare) * _GROWTH))
        for part in _slices(len(low)):
            chosen = offsets[part] >= floor
            fresh._enter(low[part][chosen], high[part][chosen], offsets[part][chosen], floor)
            yield
        self._low, self._high, self._offsets, self._count = fresh._low, fresh._high, fresh._offsets, fresh._count

    def _making(self, expected: int) -> Iterator[None]:
        """Make it anew and empty. Slice by slice: the first touch of memory is what costs, and ids would touch all of it at once."""
        places = max(_SMALLEST, int(expected / _FULLEST)) | 1
        # The low word is 0 where a place is free.
        self._low = np.empty(places, dtype=np.uint64)
        self._high = np.empty(places, dtype=np.uint64)
        self._offsets = np.empty(places, dtype=np.int64)
        self._count = 0
        for part in _slices(places):
            self._low[part], self._high[part], self._offsets[part] = _FREE, 0, -1
            yield

    def _enter(self, low: Words, high: Words, offsets: Offsets, floor: int) -> Offsets:
        size = len(self._low)
        places = (((((low ^ (high * _MIX)) * _SPREAD) >> _HALF) * np.uint64(size)) >> _HALF).astype(np.int64)
        left = self._elsewhere(places, low, high, offsets)
        while len(left):
            # Each id has its own stride, so that full stretches do not grow; a power of two and an odd size have no common divisor.
            tried = places[left] + (_ONE << (high[left] & _STRIDES)).astype(np.int64)
            tried[tried >= size] -= size
            places[left] = tried
            left = left[self._elsewhere(tried, low[left], high[left], offsets[left])]
        firsts = self._offsets[places]
        if floor and (stale := np.flatnonzero(firsts < floor)).size:
            self._offsets[places[stale[::-1]]] = offsets[stale[::-1]]
            firsts = self._offsets[places]
        return firsts

    def _elsewhere(self, places: NDArray[np.int64], low: Words, high: Words, offsets: Offsets) -> NDArray[np.int64]:
        """Take the places that are free, and return the indexes of those whose place another id has."""
        there = self._low[places]
        free = np.flatnonzero(there == _FREE)[::-1]
        if len(free):
            # Of several that were given one free place the first has it: it is written last.
            taken = places[free]
            self._low[taken], self._high[taken], self._offsets[taken] = low[free], high[free], offsets[free]
            there = self._low[places]
            self._count += int(np.count_nonzero(self._offsets[taken] == offsets[free]))
        return np.flatnonzero((there != low) | (self._high[places] != high))


def _slices(count: int) -> list[slice]:
    return [slice(start, start + _SLICE) for start in range(0, count, _SLICE)] or [slice(0, 0)]


def _words(ids: Digests) -> tuple[Words, Words]:
    """Return both words of each id; a low word of 0, which means a free place, becomes 1, and the other is turned so that it stays apart."""
    low, high = ids[:, 0], ids[:, 1]
    zero = low == _FREE
    if zero.any():
        return np.where(zero, _ONE, low), np.where(zero, high ^ _SPREAD, high)
    return low, high
