"""What a partition's rows mean to whoever claims it next, and when going on is refused."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest

from voc_stream.stages.delivery import AskEnd, AskLease, AskNewest, AskStored, claim
from voc_stream.stages.history import RefusalError, Taking, read_rows
from voc_stream.stages.ranges import Claim, ClaimId, Place, Range, Row, Seen, Span
from voc_stream.stages.seen_ids import Horizon, SeenIds

PLACE = Place("1", "voc.calls", 0)
FIRST = ClaimId(1, 1)


def ids(first: int, last: int) -> tuple[bytes, bytes]:
    """Return the deltas and digests of a row whose records all have an id of their own."""
    count = last - first + 1
    digests = np.arange(2 * first + 1, 2 * last + 3, dtype="<u8").reshape(count, 2)
    return np.arange(count, dtype="<u4").tobytes(), digests.tobytes()


def window(first: int, last: int, by: ClaimId = FIRST) -> Range:
    return Range(by, first, last, 1000 + first, *ids(first, last))


def packed(first: int, last: int, by: ClaimId = FIRST) -> Seen:
    return Seen(by, first, last, 1000 + first, *ids(first, last))


def began(position: int = 0, by: ClaimId = FIRST, adopted: tuple[Span, ...] = ()) -> Claim:
    return Claim(by, position, adopted)


def as_read(*rows: Row) -> list[Row]:
    """Return rows in the order in which the table gives them: of their keys."""
    return sorted(rows, key=lambda row: row.key(PLACE))


def taken(rows: list[Row], position: int, stored: Collection[int]) -> Taking:
    """Claim a partition whose offsets in ClickHouse are these."""
    steps = claim(PLACE, read_rows(rows), position, generation=2)
    reply: object = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            taking: Taking = end.value
            return taking
        match step:
            case AskEnd():
                reply = max(stored, default=0) + 1
            case AskNewest():
                reply = max(stored, default=None)
            case AskStored(first=first, last=last):
                reply = {offset for offset in stored if first <= offset <= last}
            case AskLease():
                reply = True
            case _:
                reply = None


def test_a_claim_adopts_what_is_known_at_and_after_its_position() -> None:
    taking = taken([began(), window(0, 99), window(100, 199)], 100, range(200))
    assert [(row.first, row.last) for row in taking.adopted] == [(100, 199)]
    assert taking.start == 100


def test_a_position_inside_a_window_goes_back_to_its_first_offset() -> None:
    assert taken([began(), window(0, 99)], 50, range(100)).start == 0


def test_stored_offsets_beyond_all_that_is_known_are_refused() -> None:
    with pytest.raises(RefusalError, match="ClickHouse holds events up to offset 199"):
        taken([began(), window(0, 99)], 0, range(200))


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([began(), packed(0, 999), window(1000, 1099)], "windows whose ranges were packed"),
        ([began(1000), window(1000, 1099)], "windows whose rows are older than the horizon"),
        ([began(), window(0, 99), window(200, 299)], "a window whose row was lost"),
    ],
)
def test_stored_offsets_of_which_no_range_is_known_any_more_are_refused(rows: list[Row], what: str) -> None:
    """The group's offset was set back, or expired: reading begins before the adopted ranges, where ClickHouse holds everything."""
    stored = range(max(row.last for row in rows if isinstance(row, Range)) + 1)
    with pytest.raises(RefusalError):
        pytest.fail(f"{what} would be formed anew: {taken(rows, 0, stored)}")


def test_offsets_before_adopted_ranges_that_nobody_stored_are_no_reason_to_refuse() -> None:
    assert taken([began(), window(100, 199)], 0, range(100, 200)).start == 0


def test_packed_rows_are_told_in_the_order_of_their_offsets() -> None:
    rows = [packed(first, first + 255) for first in range(0, 2560, 256)]
    assert [row.first for row in read_rows(as_read(began(2560), *rows)).seen] == list(range(0, 2560, 256))


def test_when_room_is_needed_only_the_oldest_recalled_ids_are_forgotten() -> None:
    """Ten rows of 256 ids; room for 2,300: two rows must go, and the copies of all others are still duplicates."""
    rows = [packed(first, first + 255) for first in range(0, 2560, 256)]
    seen = SeenIds(Horizon(2560))
    list(seen.recalling(read_rows(as_read(began(2560), *rows)).seen))
    new = np.arange(10**6, 10**6 + 520, dtype="<u8").reshape(260, 2)
    seen.enter(new, np.arange(2560, 2820, dtype=np.int64))

    copies = np.concatenate([row.ids for row in rows[2:]])
    # A few at a time: room is made for all that is entered at once, whether it proves new or not.
    for start in range(0, len(copies), 256):
        part = copies[start : start + 256]
        assert (seen.enter(part, np.arange(5000, 5000 + len(part), dtype=np.int64)) < 2560).all()
