"""A stage over record batches: bounds, fairness, stops and rebalances."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.unit.runtime.conftest import MakeWorld
from tests.unit.runtime.world import TIMEOUT, Outside, always, batch, done, each, happens, idle, passed
from voc_stream.errors import OutageError, TransientError
from voc_stream.runtime.stage import Delivery
from voc_stream.stages.outcome import DeadLetter, Outcome


async def test_an_unknown_error_ends_the_worker_and_the_record_stays_unresolved(make_world: MakeWorld) -> None:
    def one(delivery: Delivery) -> Outcome:
        if delivery.facts.offset == 2:
            raise ZeroDivisionError
        return passed(delivery)

    world = make_world(each(one))
    three = batch(1, 2, 3)
    world.runner.accept(three.records)
    await happens(world.crashed)
    await idle()

    assert isinstance(world.crashes[0], ZeroDivisionError)
    assert three.position <= 2


async def test_after_an_unknown_error_no_further_work_begins(make_world: MakeWorld) -> None:
    def one(_: Delivery) -> Outcome:
        raise ZeroDivisionError

    world = make_world(each(one))
    world.runner.accept(batch(1).records)
    await happens(world.crashed)
    later = batch(2)
    world.runner.accept(later.records)
    await idle()

    assert len(world.crashes) == 1
    assert later.position == 2


# bounds and fairness


class Hanging:
    """Work that hangs for some partitions until it is let go."""

    def __init__(self, *partitions: int) -> None:
        self.partitions = partitions
        self.go = asyncio.Event()
        self.running = 0
        self.most = 0
        self.chunks: list[int] = []

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        self.chunks.append(len(deliveries))
        self.running += len(deliveries)
        self.most = max(self.most, self.running)
        if deliveries[0].facts.partition in self.partitions:
            await self.go.wait()
        else:
            await asyncio.sleep(0)
        self.running -= len(deliveries)
        return [passed(delivery) for delivery in deliveries]


async def test_a_partition_whose_work_hangs_does_not_stop_the_others(make_world: MakeWorld) -> None:
    hanging = Hanging(0)
    world = make_world(hanging, in_flight=4)
    stuck, fine = batch(*range(100)), batch(*range(100), partition=1)
    world.runner.accept(stuck.records)
    world.runner.accept(fine.records)
    await done(fine)
    assert stuck.position == 0
    hanging.go.set()
    await done(stuck)


@pytest.mark.parametrize(("in_flight", "chunk"), [(1, 1), (5, 1), (32, 1), (12, 4), (3, 8)])
async def test_no_more_records_are_worked_on_than_the_stage_allows(make_world: MakeWorld, in_flight: int, chunk: int) -> None:
    hanging = Hanging()
    world = make_world(hanging, in_flight=in_flight, chunk=chunk)
    batches = [batch(*range(17), partition=partition) for partition in range(5)]
    for one in batches:
        world.runner.accept(one.records)
    await done(*batches)

    assert hanging.most <= max(in_flight, chunk)
    assert max(hanging.chunks) <= chunk
    assert sum(hanging.chunks) == 5 * 17


async def test_in_order_a_partition_has_one_chunk_at_a_time_and_another_goes_beside_it(make_world: MakeWorld) -> None:
    hanging = Hanging(0)
    world = make_world(hanging, in_flight=8, chunk=2, in_order=True)
    stuck, fine = batch(*range(6)), batch(*range(6), partition=1)
    world.runner.accept(stuck.records)
    world.runner.accept(fine.records)
    await done(fine)
    await idle()
    assert hanging.running == 2
    hanging.go.set()
    await done(stuck)
    assert hanging.chunks == [2] * 6


async def test_records_may_finish_in_any_order_and_the_position_waits_for_the_slow_head(make_world: MakeWorld) -> None:
    go = asyncio.Event()

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        if deliveries[0].facts.offset == 0:
            await go.wait()
        return [passed(delivery) for delivery in deliveries]

    world = make_world(work, in_flight=8)
    ten = batch(*range(10))
    world.runner.accept(ten.records)
    async with asyncio.timeout(TIMEOUT):
        while ten.records.pending > 1:
            await asyncio.sleep(0)
    assert ten.position == 0
    go.set()
    await done(ten)

    assert ten.position == 10


# stop and rebalance


async def test_quiesce_waits_for_running_work_which_still_counts(make_world: MakeWorld) -> None:
    hanging = Hanging(0)
    world = make_world(hanging)
    one = batch(1)
    world.runner.accept(one.records)
    await idle()
    quiescing = asyncio.create_task(world.runner.quiesce(60.0))
    await idle()
    assert not quiescing.done()
    hanging.go.set()
    async with asyncio.timeout(TIMEOUT):
        await quiescing

    assert one.position == 2


async def test_quiesce_abandons_what_does_not_finish_within_the_grace(make_world: MakeWorld) -> None:
    world = make_world(Hanging(0))
    one = batch(1)
    world.runner.accept(one.records)
    await idle()
    async with asyncio.timeout(TIMEOUT):
        await world.runner.quiesce(0.0)

    assert one.position == 1
    assert world.runner.waiting_records() == 0


async def test_quiesce_begins_nothing_new(make_world: MakeWorld) -> None:
    hanging = Hanging(0)
    world = make_world(hanging, in_flight=1)
    two = batch(1, 2)
    world.runner.accept(two.records)
    await idle()
    quiescing = asyncio.create_task(world.runner.quiesce(60.0))
    await idle()
    hanging.go.set()
    await quiescing

    assert hanging.chunks == [1]
    assert two.position == 2


async def test_quiesce_abandons_at_once_what_only_waits_at_a_closed_gate(make_world: MakeWorld) -> None:
    world = make_world(each(passed))
    world.gates["scorer"].close(OutageError("scorer", "connection refused"))
    one = batch(1)
    world.runner.accept(one.records)
    await idle()
    async with asyncio.timeout(TIMEOUT):
        await world.runner.quiesce(3600.0)

    assert one.position == 1


async def test_quiesce_abandons_at_once_what_only_waits_to_try_again(make_world: MakeWorld) -> None:
    world = make_world(always(TransientError("scorer", "it answered 500"), 1), at_once=False)
    one = batch(1)
    world.runner.accept(one.records)
    await happens(world.retry_pauses.entered)
    async with asyncio.timeout(TIMEOUT):
        await world.runner.quiesce(3600.0)

    assert one.position == 1


async def test_quiesce_abandons_at_once_a_dead_letter_that_waits_for_kafka(make_world: MakeWorld) -> None:
    world = make_world(each(lambda _: DeadLetter("not_audio", "it is a text")))
    world.outside.publish_faults.extend([None, OutageError("kafka", "no broker")])
    world.dependencies["kafka"].error = OutageError("kafka", "no broker")
    one = batch(1)
    world.runner.accept(one.records)
    await happens(world.probe_pauses.entered)
    async with asyncio.timeout(TIMEOUT):
        await world.runner.quiesce(3600.0)

    assert one.position == 1


async def test_work_that_comes_to_a_closed_gate_during_quiesce_is_abandoned_there(make_world: MakeWorld) -> None:
    go = asyncio.Event()

    async def work(_: Sequence[Delivery]) -> Sequence[Outcome]:
        await go.wait()
        raise OutageError("scorer", "connection refused")

    world = make_world(work)
    one = batch(1)
    world.runner.accept(one.records)
    await idle()
    quiescing = asyncio.create_task(world.runner.quiesce(3600.0))
    await idle()
    go.set()
    async with asyncio.timeout(TIMEOUT):
        await quiescing

    assert one.position == 1


async def test_a_batch_that_an_agent_hands_over_late_is_not_begun_once_its_partition_is_being_let_go(make_world: MakeWorld) -> None:
    hanging = Hanging(0)
    world = make_world(hanging)
    one, late = batch(1), batch(2)
    world.runner.accept(one.records)
    await idle()
    for each_batch in (one, late):
        each_batch.ledger.let_go()
    quiescing = asyncio.create_task(world.runner.quiesce(3600.0))
    await idle()
    world.runner.accept(late.records)
    await idle()
    hanging.go.set()
    await quiescing
    await idle()

    assert hanging.chunks == [1]
    assert one.position == 2
    assert late.position == 2


async def test_after_a_rebalance_new_batches_are_worked_on(make_world: MakeWorld) -> None:
    world = make_world(each(passed))
    await world.runner.quiesce(0.0)
    one = batch(1)
    world.runner.accept(one.records)
    await done(one)


async def test_a_batch_of_a_revoked_partition_is_ignored(make_world: MakeWorld) -> None:
    world = make_world(each(passed))
    one = batch(1)
    one.ledger.close()
    world.runner.accept(one.records)
    await idle()

    assert world.outside == Outside()
    assert world.runner.waiting_records() == 0


async def test_work_that_ends_after_revocation_resolves_nothing(make_world: MakeWorld) -> None:
    hanging = Hanging(0)
    world = make_world(hanging)
    one = batch(1)
    world.runner.accept(one.records)
    await idle()
    one.ledger.close()
    hanging.go.set()
    async with asyncio.timeout(TIMEOUT):
        while world.runner.waiting_records():
            await asyncio.sleep(0)

    assert not one.done.is_set()


async def test_work_that_ignores_its_cancellation_does_not_hold_up_the_rebalance_for_ever(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voc_stream.runtime.runner.ABANDON_SECONDS", 0.01)
    go = asyncio.Event()

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue
        return [passed(delivery) for delivery in deliveries]

    world = make_world(work)
    world.runner.accept(batch(1).records)
    await idle()
    async with asyncio.timeout(TIMEOUT):
        await world.runner.quiesce(0.0)
    go.set()
    await idle()


async def test_the_runner_says_how_many_records_it_has(make_world: MakeWorld) -> None:
    hanging = Hanging(0)
    world = make_world(hanging, in_flight=2)
    assert world.runner.waiting_records() == 0
    ten = batch(*range(10))
    world.runner.accept(ten.records)
    await idle()
    assert world.runner.waiting_records() == 10
    hanging.go.set()
    await done(ten)
    await idle()

    assert world.runner.waiting_records() == 0
