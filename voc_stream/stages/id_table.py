"""Ids of 16 bytes and the offset that brought each first, in flat arrays: 20 bytes a place, 27 to 36 an id; whole batches at a time."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from voc_stream.stages.ranges import Digests, Offsets

# So full, a search looks at four places; then the table is made anew without what is forgotten, so much of it filled.
_FULLEST = 0.75
_FILLED = 0.56
# A small one is made twice as large: its memory matters less than how often its ids are entered again.
_SMALL = 1 << 14
_SMALL_FILLED = 0.375
_SMALLEST = 4096
# So many at once stay in the processor's cache.
_SLICE = 1 << 15
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xC2B2AE3D27D4EB4F)
_HALF = np.uint64(32)
_FREE = np.uint64(0)
_ONE = np.uint64(1)
_STRIDES = np.uint64(7)
# Offsets are kept as numbers of four bytes from about here before the first one on; where that is not enough, of eight.
# They may be negative: of ids that came before their partition was there (docs/partitions.md).
LOWEST = -(1 << 62)
_BEFORE = 1 << 30
_SPAN = (1 << 32) - 1

Words: TypeAlias = NDArray[np.uint64]
Deltas: TypeAlias = NDArray[np.integer[Any]]


class IdTable:
    """A hash table with open addressing."""

    _low: Words
    _high: Words
    _deltas: Deltas
    _base: int
    _count: int

    def __init__(self) -> None:
        for _ in self._making(0, None):
            pass

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Return the memory it takes."""
        return self._low.nbytes + self._high.nbytes + self._deltas.nbytes

    def enter(self, ids: Digests, offsets: Offsets, floor: int = LOWEST) -> Offsets:
        """Add what is not here yet, and return the offset that brought each id first: its own, or that of an earlier record.

        Args:
            ids: may hold an id more than once.
            offsets: of the records, ascending.
            floor: what came before this offset is forgotten: it counts as not here.
        """
        if not len(ids):
            return offsets
        span = (int(offsets[0]), int(offsets[-1]))
        if not self.has_room(len(ids)) or not self._holds(span):
            for _ in self.rebuilding(floor, spare=len(ids), span=span):
                pass
        low, high = _words(ids)
        deltas = (offsets - self._base).astype(self._deltas.dtype)
        least = self._delta(floor)
        firsts = [self._enter(low[part], high[part], deltas[part], least) for part in _slices(len(ids))]
        return (firsts[0] if len(firsts) == 1 else np.concatenate(firsts)).astype(np.int64) + self._base

    def has_room(self, count: int) -> bool:
        """Whether so many more may be entered without rebuilding."""
        return self._count + count <= len(self._low) * _FULLEST

    def rebuilding(self, floor: int, *, spare: int = 0, span: tuple[int, int] | None = None) -> Iterator[None]:
        """Keep what came at `floor` or later, in a table with room for `spare` more and for growth: slice by slice, a few milliseconds each.

        Nothing may be entered before the last slice; given up before it, nothing has changed.

        Args:
            floor: an offset.
            spare: ids.
            span: the first and the last offset that are to be entered next.
        """
        low, high, deltas = self._low, self._high, self._deltas
        least = self._delta(floor)
        kept, spans = 0, [span] if span else []
        for part in _slices(len(low)):
            there = deltas[part][deltas[part] >= least].astype(np.int64) + self._base
            if len(there):
                kept += len(there)
                spans.append((int(there.min()), int(there.max())))
            yield
        fresh = IdTable()
        whole = (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None
        filled = _FILLED if kept > _SMALL else _SMALL_FILLED
        yield from fresh._making(max(kept / filled, (kept + spare) / _FULLEST), whole)
        for part in _slices(len(low)):
            chosen = deltas[part] >= least
            there = deltas[part][chosen].astype(np.int64) + (self._base - fresh._base)
            fresh._enter(low[part][chosen], high[part][chosen], there.astype(fresh._deltas.dtype), 0)
            yield
        self._low, self._high, self._deltas = fresh._low, fresh._high, fresh._deltas
        self._base, self._count = fresh._base, fresh._count

    def _making(self, places: float, span: tuple[int, int] | None) -> Iterator[None]:
        """Make it anew and empty. Slice by slice: the first touch of memory is what costs, and ids would touch all of it at once."""
        size = max(_SMALLEST, int(places)) | 1
        first, last = span or (0, 0)
        # The low word is 0 where a place is free, and so is the delta.
        self._base = first - _BEFORE - 1
        self._low = _mapped(size, np.dtype(np.uint64))
        self._high = _mapped(size, np.dtype(np.uint64))
        self._deltas = _mapped(size, np.dtype(np.uint32 if last - self._base <= _SPAN // 2 else np.int64))
        self._count = 0
        for part in _slices(size):
            self._low[part], self._high[part], self._deltas[part] = _FREE, 0, 0
            yield

    def _holds(self, span: tuple[int, int]) -> bool:
        """Whether offsets can be told by their deltas."""
        return span[0] > self._base and (self._deltas.dtype == np.int64 or span[1] - self._base <= _SPAN)

    def _delta(self, floor: int) -> int:
        """Return the least delta that counts."""
        return min(max(1, floor - self._base), _SPAN if self._deltas.dtype == np.uint32 else 1 << 62)

    def _enter(self, low: Words, high: Words, deltas: Deltas, least: int) -> Deltas:
        size = len(self._low)
        places = (((((low ^ (high * _MIX)) * _SPREAD) >> _HALF) * np.uint64(size)) >> _HALF).astype(np.int64)
        left = self._elsewhere(places, low, high, deltas)
        while len(left):
            # Each id has its own stride, so that full stretches do not grow; a power of two and an odd size have no common divisor.
            tried = places[left] + (_ONE << (high[left] & _STRIDES)).astype(np.int64)
            tried[tried >= size] -= size
            places[left] = tried
            left = left[self._elsewhere(tried, low[left], high[left], deltas[left])]
        firsts = self._deltas[places]
        if least > 1 and (stale := np.flatnonzero(firsts < least)).size:
            self._deltas[places[stale[::-1]]] = deltas[stale[::-1]]
            firsts = self._deltas[places]
        return firsts

    def _elsewhere(self, places: NDArray[np.int64], low: Words, high: Words, deltas: Deltas) -> NDArray[np.int64]:
        """Take the places that are free, and return the indexes of those whose place another id has."""
        there = self._low[places]
        free = np.flatnonzero(there == _FREE)[::-1]
        if len(free):
            # Of several that were given one free place the first has it: it is written last.
            taken = places[free]
            self._low[taken], self._high[taken], self._deltas[taken] = low[free], high[free], deltas[free]
            there = self._low[places]
            self._count += int(np.count_nonzero(self._deltas[taken] == deltas[free]))
        return np.flatnonzero((there != low) | (self._high[places] != high))


def _mapped(size: int, kind: np.dtype[Any]) -> NDArray[Any]:
    """Return an array whose memory goes back to the system with it: tables come and go among what lives shorter, and would leave holes there."""
    pages = mmap.mmap(-1, size * kind.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(pages, kind)


def _slices(count: int) -> list[slice]:
    return [slice(start, start + _SLICE) for start in range(0, count, _SLICE)] or [slice(0, 0)]


def _words(ids: Digests) -> tuple[Words, Words]:
    """Return both words of each id; a low word of 0, which means a free place, becomes 1, and the other is turned so that it stays apart."""
    low, high = ids[:, 0], ids[:, 1]
    zero = low == _FREE
    if zero.any():
        return np.where(zero, _ONE, low), np.where(zero, high ^ _SPREAD, high)
    return low, high
