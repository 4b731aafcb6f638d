"""The intake: ledgers of the assigned partitions, and stages that let go of them."""

from __future__ import annotations

import asyncio

from faust.types import TP

from tests.unit.runtime.world import TOPIC, record
from voc_stream.runtime.intake import Intake

ZERO, ONE = TP(TOPIC, 0), TP(TOPIC, 1)


def test_batches_of_one_partition_share_a_ledger_that_begins_where_reading_began() -> None:
    intake = Intake()
    first = intake.take(ZERO, [record(10)], 7, lambda: None)
    intake.take(ZERO, [record(11)], 11, lambda: None)
    books = intake.ledger(ZERO)
    assert books is not None
    assert books.position() == 7
    first.resolve_all()

    assert books.position() == 11
    assert intake.unresolved() == 1


def test_partitions_are_accounted_for_apart() -> None:
    intake = Intake(max_records=1)
    intake.take(ZERO, [record(0)], 0, lambda: None)
    intake.take(ONE, [record(0, partition=1)], 0, lambda: None).resolve_all()

    assert set(intake.partitions()) == {ZERO, ONE}
    assert [books.full for tp in (ZERO, ONE) if (books := intake.ledger(tp))] == [True, False]


def test_in_a_crowd_a_partition_holds_a_small_share_and_alone_all_that_it_may() -> None:
    intake = Intake(max_records=16, max_all_records=20, ahead_records=0)
    crowd = [intake.take(TP(TOPIC, number), [record(offset) for offset in range(4)], 0, lambda: None) for number in range(4)]
    books = [intake.ledger(TP(TOPIC, number)) for number in range(4)]
    assert not any(each.full for each in books if each), "16 of 20 are held"
    more = intake.take(ZERO, [record(offset) for offset in range(4, 8)], 4, lambda: None)

    assert all(each.full and not each.roomy for each in books if each), "each holds more than an eighth of 16"
    more.resolve_all()
    assert not any(each.full for each in books if each)
    for batch in crowd:
        batch.resolve_all()
    intake.take(ZERO, [record(offset) for offset in range(8, 23)], 8, lambda: None)
    assert books[0] is not None
    assert not books[0].full, "alone, 15 are not too many"


def test_the_more_partitions_there_are_the_less_they_hold_together_because_the_client_fetches_ahead_of_each() -> None:
    intake = Intake(max_records=16, max_all_records=20, ahead_records=4)
    batches = [intake.take(TP(TOPIC, number), [record(offset) for offset in range(2)], 0, lambda: None) for number in range(3)]
    books = [intake.ledger(TP(TOPIC, number)) for number in range(3)]
    assert not any(each.full for each in books if each), "6 and 12 of 20"

    intake.take(TP(TOPIC, 3), [record(0)], 0, lambda: None).resolve_all()
    assert all(each.full for each in books if each), "6 and 16 of 20, and each holds an eighth of 16"
    intake.close([TP(TOPIC, 3)])
    assert not any(each.full for each in books if each)
    assert all(batch.live for batch in batches)


def test_what_is_closed_leaves_the_crowd() -> None:
    intake = Intake(max_records=16, max_all_records=8, ahead_records=0)
    intake.take(ONE, [record(offset, partition=1) for offset in range(8)], 0, lambda: None)
    intake.close([ONE])
    intake.take(ZERO, [record(offset) for offset in range(4)], 0, lambda: None)
    books = intake.ledger(ZERO)

    assert books is not None
    assert not books.full


def test_closing_forgets_the_named_partitions_or_all() -> None:
    intake = Intake()
    batches = [intake.take(tp, [record(0)], 0, lambda: None) for tp in (ZERO, ONE)]
    intake.close([ZERO, TP("never", 3)])
    assert [batch.live for batch in batches] == [False, True]
    intake.close()

    assert not batches[1].live
    assert intake.ledger(ONE) is None


async def test_stages_are_quiesced_side_by_side_within_one_grace() -> None:
    intake = Intake(grace=3.0)
    graces: list[float] = []
    both = asyncio.Barrier(2)

    async def quiesce(grace: float) -> None:
        graces.append(grace)
        await both.wait()

    intake.register(quiesce)
    intake.register(quiesce)
    async with asyncio.timeout(5.0):
        await intake.quiesce()

    assert graces == [3.0, 3.0]


async def test_while_stages_finish_no_batch_may_be_begun_but_what_runs_may_be_resolved() -> None:
    intake = Intake()
    batch = intake.take(ZERO, [record(0)], 0, lambda: None)

    async def quiesce(_grace: float) -> None:
        assert not batch.live
        batch.resolve_all()

    intake.register(quiesce)
    await intake.quiesce()
    books = intake.ledger(ZERO)

    assert books is not None
    assert books.position() == 1
