"""Where a group is set back to, and what is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from voc_stream.stages.history import read_rows
from voc_stream.stages.ranges import Claim, ClaimId, Range, Seen
from voc_stream.stages.rewinding import Move, Standing, first_hole, ledger_rows, moves

AT = Standing("voc.calls", 3, committed=100, stored=100, begins=0, end=120)


def move(**changes: int | None) -> Move | None:
    found = moves([replace(AT, **changes)])  # type: ignore[arg-type]
    return found[0] if found else None


def test_a_database_that_is_as_far_as_the_group_or_further_moves_nothing() -> None:
    assert move() is None
    assert move(stored=110) is None
    assert move(begins=50) is None


def test_an_older_database_sets_the_group_back_to_what_it_holds() -> None:
    assert move(stored=40) == Move("voc.calls", 3, 100, 40, 60, 40, 40)


def test_what_kafka_no_longer_has_is_lost_and_the_group_goes_on_where_kafka_begins() -> None:
    found = move(stored=40, begins=70)
    assert found == Move("voc.calls", 3, 100, 70, 30, 40, 70)
    assert found is not None
    assert found.lost == 30
    assert move(stored=40, begins=110) == Move("voc.calls", 3, 100, 110, 0, 40, 110)


def test_a_group_without_an_offset_stands_at_the_end_until_it_is_told_better() -> None:
    assert move(committed=None, stored=40) == Move("voc.calls", 3, None, 40, 80, 40, 40)
    assert move(committed=None, stored=120) is None


def test_a_topic_that_lost_its_tail_is_not_read_beyond_its_end() -> None:
    assert move(committed=200, stored=150) == Move("voc.calls", 3, 200, 120, 80, 150, 150)


def test_moves_come_by_topic_and_partition() -> None:
    places = [("b", 1), ("a", 2), ("a", 1)]
    found = moves(replace(AT, topic=topic, partition=partition, stored=1) for topic, partition in places)
    assert [(each.topic, each.partition) for each in found] == [("a", 1), ("a", 2), ("b", 1)]


def test_a_record_that_took_effect_before_an_earlier_one_does_not_count() -> None:
    assert first_hole({5, 6, 8}, 5) == 7
    assert first_hole({6}, 5) == 5
    assert first_hole(set(), 0) == 0


def ranged(epoch: int, first: int, last: int) -> Range:
    offsets = np.arange(last - first + 1, dtype="<u4")
    return Range(ClaimId(epoch, 9), first, last, 5, offsets.tobytes(), np.arange(2 * len(offsets), dtype="<u8").tobytes())


def test_the_ledger_forgets_ranges_behind_the_position_and_keeps_the_ids_of_the_one_that_it_cuts() -> None:
    claim = Claim(ClaimId(3, 9), 0, ())
    ranges = [ranged(3, 0, 9), ranged(3, 10, 19), ranged(3, 20, 29)]
    rows = ledger_rows(read_rows([claim, *ranges]), 15)
    (seen, ours) = rows
    assert ours == Claim(ClaimId(4, 0), 15, ())
    assert isinstance(seen, Seen)
    assert (seen.first, seen.last, seen.digests) == (10, 19, ranges[1].digests)

    history = read_rows([claim, *ranges, *rows])
    assert history.newest == ours
    assert history.ending_at_or_after(15) == ()
    assert [row.first for row in history.older] == [0]


def test_a_ledger_without_a_row_gets_its_first_claim() -> None:
    assert ledger_rows(read_rows([]), 7) == [Claim(ClaimId(1, 0), 7, ())]
