"""Windows lie side by side; a known one is formed again as its row says."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from tests.unit.stages.windows_world import Record, decode
from voc_stream.stages.history import RefusalError, Taking
from voc_stream.stages.outcome import DeadLetter
from voc_stream.stages.ranges import Claim, ClaimId, Place, Range
from voc_stream.stages.seen_ids import Horizon, SeenIds
from voc_stream.stages.windows import Check, Tiling, Window

PLACE = Place("1", "voc.calls", 3)
OLD, NEW = ClaimId(1, 1), ClaimId(2, 5)


def known(first: int, last: int) -> Range:
    return Range(OLD, first, last, 7, b"", b"")


def records(*numbers: int, first: int = 0) -> list[Record]:
    return [Record(first + place, b"%d" % number) for place, number in enumerate(numbers)]


def formed(
    batch: Sequence[Record], *, row: Range | None = None, refuse: int | None = None, moved: frozenset[str] = frozenset()
) -> tuple[Window, Range]:
    window = Window(PLACE, NEW, batch[0].offset, batch[-1].offset, 99, row)
    letter = DeadLetter("bad_time", "too early")
    window.judge(batch, Check(decode, lambda event: letter if refuse is not None and UUID(event.event_id).int == refuse + 1 else None))
    return window, window.settle(SeenIds(Horizon(1000)), moved)


def test_a_new_window_ends_before_the_next_known_range_which_is_then_formed_whole() -> None:
    tiling = Tiling(Taking(Claim(NEW, 0, ()), (known(10, 19), known(20, 29))))
    assert (tiling.position, tiling.limit) == (0, 9)
    tiling.advance(4)
    assert (tiling.position, tiling.limit) == (5, 9)
    tiling.advance(9)
    assert (tiling.limit, tiling.known) == (19, known(10, 19))
    tiling.advance(19)
    assert tiling.known == known(20, 29)
    tiling.advance(29)
    assert (tiling.position, tiling.limit) == (30, None)


def test_each_record_is_accepted_dropped_or_refused_and_the_row_tells() -> None:
    window, row = formed(records(5, 6, -1, 5, 7, 8), refuse=8)
    assert [record.offset for record in window.records] == [0, 1, 4]
    assert [(record.offset, letter.error_type) for record, letter in window.letters] == [(2, "malformed"), (5, "bad_time")]
    assert window.duplicates == 1
    assert (row.offsets.tolist(), row.refused, row.span[1:]) == ([0, 1, 4], (2, 5), (0, 5))
    assert window.token == "1:voc.calls:3:0-5"


def test_formed_again_a_window_has_the_same_events_whatever_is_refused_or_seen_by_now() -> None:
    batch = records(5, 6, -1, 5, 7, 8)
    _, row = formed(batch, refuse=8)
    again, same = formed(batch, row=row, refuse=5)
    assert same is row
    assert [record.offset for record in again.records] == [0, 1, 4]
    # Today's reason where there is one; the record at 5 would pass today, and was refused all the same.
    assert [(record.offset, letter.error_type) for record, letter in again.letters] == [(2, "malformed"), (5, "refused")]
    assert (again.duplicates, again.processed_ms) == (1, 99)


def test_other_records_at_the_offsets_of_a_known_window_are_refused() -> None:
    _, row = formed(records(5, 6, 7))
    with pytest.raises(RefusalError, match="made anew"):
        formed(records(5, 60, 7), row=row)


@pytest.mark.parametrize("replayed", [False, True])
def test_what_moves_is_remembered_and_leaves_the_window(replayed: bool) -> None:  # noqa: FBT001
    batch = records(5, 6, 5)
    window, row = formed(batch, moved=frozenset({"acme"}))
    if replayed:
        window, _ = formed(batch, row=row)
    assert [record.offset for _, record in window.moved] == [0, 1]
    assert (window.events, window.records, window.duplicates) == ([], [], 1)
    assert (row.moved, len(row.ids)) == ((0, 1), 2)
