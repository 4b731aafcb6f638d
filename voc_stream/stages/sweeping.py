"""Which rows of a partition's ledger may go, and which old ones become one (docs/adr/0012): a quiet partition writes a row for a few events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from voc_stream.stages.history import History
from voc_stream.stages.ranges import DELTA_BYTES, DIGEST_BYTES, Claim, Place, Range, Seen, decode_row, encode_row

Entry = tuple[bytes, bytes | None]

# So many rows become one, if they hold no more ids than fit: a row stays below the broker's 1 MiB.
_PACKED_ROWS = 256
_MOST_IDS = 800_000 // (DIGEST_BYTES + DELTA_BYTES)
# So many of the newest rows are never packed: Faust counts an offset as committed, too, when the group's coordinator refused the commit.
_NEWEST_ROWS = _PACKED_ROWS // 2
# Rows that are removed at once.
_MOST_REMOVED = 2000


class _Kept(NamedTuple):
    key: bytes
    last: int
    processed_ms: int
    ids: int


class Sweeper:
    """The rows of one partition, and which may go.

    Args:
        place: the partition.
        keys: of all rows that were read.
        history: what they mean: void rows and old claims go.
        claim: ours.
    """

    def __init__(self, place: Place, keys: Iterable[bytes], history: History, claim: Claim) -> None:
        self._place = place
        self._claim = claim
        self._packed: deque[_Kept] = deque(self._kept(row) for row in sorted(history.seen, key=lambda row: row.last))
        self._loose: deque[_Kept] = deque(self._kept(row) for row in sorted((*history.older, *history.current), key=lambda row: row.last))
        known = {kept.key for kept in (*self._packed, *self._loose)}
        self._void = [key for key in keys if key not in known]

    def add(self, row: Range) -> None:
        """Count a window that was stored."""
        kept = self._kept(row)
        if not self._loose or self._loose[-1].last < kept.last:
            self._loose.append(kept)

    def entries(self, oldest_ms: int, committed: int, read: Callable[[bytes], bytes | None]) -> list[Entry]:
        """Return what to write: rows, and keys of rows to remove.

        Args:
            oldest_ms: what was formed before this time is forgotten.
            committed: the group's offset; only windows before it are surely never formed again.
            read: returns a row by its key.
        """
        removed: list[Entry] = [(key, None) for key in self._void[:_MOST_REMOVED]]
        for rows in (self._packed, self._loose):
            removed += [(kept.key, None) for kept in islice(rows, _MOST_REMOVED) if kept.processed_ms < oldest_ms and kept.last < committed]
        return removed or self._pack(committed, read)

    def done(self, entries: Sequence[Entry]) -> None:
        """Note that these were written."""
        gone = {key for key, value in entries if value is None}
        self._void = [key for key in self._void if key not in gone]
        self._packed = deque(kept for kept in self._packed if kept.key not in gone)
        self._loose = deque(kept for kept in self._loose if kept.key not in gone)
        for value in (value for _, value in entries if value is not None):
            row = decode_row(value)
            if isinstance(row, Seen):
                self._packed.append(self._kept(row))

    def _pack(self, committed: int, read: Callable[[bytes], bytes | None]) -> list[Entry]:
        chosen: list[_Kept] = []
        ids = 0
        for kept in islice(self._loose, min(_PACKED_ROWS, max(0, len(self._loose) - _NEWEST_ROWS))):
            ids += kept.ids
            if kept.last >= committed or ids > _MOST_IDS:
                break
            chosen.append(kept)
        if len(chosen) < _PACKED_ROWS // 2:
            return []
        rows = [row for kept in chosen if (value := read(kept.key)) is not None and isinstance(row := decode_row(value), Range)]
        if not rows:
            return []
        seen = self._together(rows)
        return [(seen.key(self._place), encode_row(seen)), *((kept.key, None) for kept in chosen)]

    def _together(self, rows: Sequence[Range]) -> Seen:
        first = min(row.first for row in rows)
        deltas = np.concatenate([row.offsets for row in rows]) - first
        return Seen(
            self._claim.id,
            first,
            max(row.last for row in rows),
            max(row.processed_ms for row in rows),
            deltas.astype("<u4").tobytes(),
            b"".join(row.digests for row in rows),
        )

    def _kept(self, row: Range | Seen) -> _Kept:
        return _Kept(row.key(self._place), row.last, row.processed_ms, len(row.digests) // DIGEST_BYTES)
