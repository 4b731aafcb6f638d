"""Which rows of the ledger go, and which stay."""

from __future__ import annotations

import pytest

from tests.unit.stages.test_history import FIRST, PLACE, began, window
from voc_stream.stages.history import read_rows
from voc_stream.stages.ranges import Claim, ClaimId, Range, Row, Seen, decode_row, encode_row
from voc_stream.stages.sweeping import Sweeper

MINE = ClaimId(2, 2)


def swept(rows: list[Row], *, oldest_ms: int = 0, committed: int = 1 << 40) -> list[Row]:
    """Return the rows that are left after sweeping until nothing is left to sweep."""
    table = {row.key(PLACE): encode_row(row) for row in rows}
    sweeper = Sweeper(PLACE, tuple(table), read_rows(rows), Claim(MINE, 0, ()))
    while entries := sweeper.entries(oldest_ms, committed, table.get):
        for key, value in entries:
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value
        sweeper.done(entries)
    return [decode_row(value) for value in table.values()]


def windows(count: int, size: int = 10) -> list[Row]:
    return [window(first, first + size - 1, FIRST) for first in range(0, count * size, size)]


def test_old_claims_go() -> None:
    assert not [row for row in swept([began(), *windows(3)]) if isinstance(row, Claim)]


def test_windows_that_are_not_committed_stay_as_they_are() -> None:
    left = swept([began(), *windows(300)], committed=500)
    assert sum(isinstance(row, Range) for row in left) >= 250


def test_many_small_windows_become_few_rows_with_all_their_ids() -> None:
    left = swept([began(), *windows(600)])
    assert sum(len(row.digests) for row in left if isinstance(row, Range | Seen)) == 600 * 10 * 16
    assert any(isinstance(row, Seen) for row in left)
    assert len(left) < 300


@pytest.mark.parametrize("count", [128, 200, 256, 512])
def test_the_newest_windows_stay_as_they_are_though_they_count_as_committed(count: int) -> None:
    """Faust counts an offset as committed when the group's coordinator refused the commit, too: the next owner may begin before it."""
    left = swept([began(), *windows(count)])
    assert sum(isinstance(row, Range) for row in left) >= 100
