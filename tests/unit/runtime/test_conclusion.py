"""Records that a stage took up: what happens in which order, and what happens when something fails (spec section 2, delivery)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.unit.runtime.conftest import MakeWorld
from tests.unit.runtime.world import OUT, TIMEOUT, TOPIC, Batch, always, batch, done, each, failing, happens, idle, passed, record
from voc_stream.errors import BusyError, OutageError, OutsideError, RejectedError, ThrottledError, TransientError, UnavailableError
from voc_stream.runtime.stage import Delivery
from voc_stream.stages.outcome import DeadLetter, Drop, Ok, Outcome, Retry
from voc_stream.stages.retry import RetryPolicy


async def test_a_record_is_resolved_after_its_change_and_its_output(make_world: MakeWorld) -> None:
    world = make_world(each(passed))
    one = Batch([record(7)])
    one.done = asyncio.Event()
    seen: list[int] = []
    publish = world.outside.publish

    async def watched(records: Sequence[object]) -> list[int]:
        seen.append(one.records.pending)
        return await publish(records)  # type: ignore[arg-type]

    world.outside.publish = watched  # type: ignore[method-assign]
    world.runner.accept(one.records)
    async with asyncio.timeout(TIMEOUT):
        while one.records.pending:
            await asyncio.sleep(0)

    assert world.outside.journal == ["change", f"publish {OUT}"]
    assert seen == [1], "while the output was under way the record was not resolved"
    assert one.position == 8


async def test_a_dropped_record_is_resolved_without_any_effect(make_world: MakeWorld) -> None:
    world = make_world(each(lambda _: Drop("duplicate")))
    two = batch(1, 2)
    world.runner.accept(two.records)
    await done(two)

    assert world.outside.journal == []
    assert two.position == 3


async def test_a_malformed_record_is_dead_lettered_and_its_neighbours_pass(make_world: MakeWorld) -> None:
    world = make_world(each(passed), chunk=3, in_flight=3)
    three = Batch([record(1), record(2, b"\xff not JSON"), record(3)])
    world.runner.accept(three.records)
    await done(three)

    (letter,) = world.outside.sent_to(f"{TOPIC}.dlq")
    assert letter.value == b"\xff not JSON"
    assert len(world.outside.sent_to(OUT)) == 2


async def test_work_is_repeated_when_publishing_fails_after_the_change_was_applied(make_world: MakeWorld) -> None:
    world = make_world(each(passed))
    world.outside.publish_faults.append(OutageError("kafka", "no broker"))
    one = batch(1)
    world.runner.accept(one.records)
    await happens(world.probe_pauses.entered)
    assert one.position == 1
    world.probe_pauses.end()
    await done(one)

    assert world.outside.journal == ["change", "change", f"publish {OUT}"]


# outages


async def test_an_outage_closes_the_gate_and_the_record_passes_later(make_world: MakeWorld) -> None:
    world = make_world(failing({1: [OutageError("scorer", "connection refused")]}))
    one = batch(1)
    world.runner.accept(one.records)
    await happens(world.probe_pauses.entered)
    assert not world.gates["scorer"].is_open
    assert one.records.pending == 1
    world.probe_pauses.end()
    await done(one)

    assert world.outside.sent_to(f"{TOPIC}.dlq") == []
    assert len(world.outside.sent_to(OUT)) == 1


async def test_an_outage_of_a_dependency_that_the_stage_does_not_name_waits_too(make_world: MakeWorld) -> None:
    attempts = 0

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        nonlocal attempts
        attempts += 1
        await asyncio.sleep(0)
        if attempts == 1:
            raise OutageError("postgres", "connection refused")
        return [passed(delivery) for delivery in deliveries]

    world = make_world(work, needs=("scorer",))
    one = batch(1)
    world.runner.accept(one.records)
    await happens(world.probe_pauses.entered)
    await idle()
    assert attempts == 1, "it does not spin at the closed gate"
    world.probe_pauses.end()
    await done(one)


async def test_an_outage_of_something_without_a_gate_ends_the_worker_with_its_own_reason(make_world: MakeWorld) -> None:
    world = make_world(always(OutageError("vault", "PII_KEYS is not set"), 1))
    one = batch(1)
    world.runner.accept(one.records)
    await happens(world.crashed)

    assert "PII_KEYS is not set" in str(world.crashes[0])
    assert one.position == 1


@pytest.mark.parametrize("seconds", [None, 17.0])
async def test_a_dependency_that_asks_us_to_wait_pauses_the_stage_for_as_long_as_it_says(make_world: MakeWorld, seconds: float | None) -> None:
    world = make_world(failing({1: [ThrottledError("scorer", "it answered 429", retry_after=seconds)]}))
    one = batch(1)
    world.runner.accept(one.records)
    await happens(world.probe_pauses.entered)
    assert world.probe_pauses.asked == [seconds or 0.5]
    world.probe_pauses.end()
    await done(one)


async def test_no_work_begins_while_a_gate_is_closed(make_world: MakeWorld) -> None:
    worked: list[int] = []

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        worked.extend(delivery.facts.offset for delivery in deliveries)
        return [passed(delivery) for delivery in deliveries]

    world = make_world(work)
    world.gates["scorer"].close(OutageError("scorer", "connection refused"))
    two = batch(1, 2)
    world.runner.accept(two.records)
    await happens(world.probe_pauses.entered)
    await idle()
    assert worked == []
    world.probe_pauses.end()
    await done(two)

    assert worked == [1, 2]


# attempts


async def test_a_failed_attempt_is_repeated_after_the_policy_s_pauses_and_then_dead_lettered(make_world: MakeWorld) -> None:
    world = make_world(always(TransientError("scorer", "it answered 500"), 1), policy=RetryPolicy(attempts=5))
    two = batch(1, 2)
    world.runner.accept(two.records)
    await done(two)

    assert world.retry_pauses.asked == [1.0, 2.0, 4.0, 8.0]
    (letter,) = world.outside.sent_to(f"{TOPIC}.dlq")
    assert dict(letter.headers)["voc-dlq-retries"] == b"4"
    assert len(world.outside.sent_to(OUT)) == 1


async def test_a_record_that_fails_once_passes_at_its_second_attempt(make_world: MakeWorld) -> None:
    world = make_world(failing({1: [TransientError("scorer", "it answered 500")]}))
    one = batch(1)
    world.runner.accept(one.records)
    await done(one)

    assert world.outside.sent_to(f"{TOPIC}.dlq") == []
    assert len(world.outside.sent_to(OUT)) == 1


async def test_a_failed_attempt_on_a_dependency_that_is_down_waits_for_it_and_is_not_counted(make_world: MakeWorld) -> None:
    errors: list[OutsideError] = [TransientError("scorer", "time-out") for _ in range(3)]
    world = make_world(failing({1: errors}))
    world.dependencies["scorer"].error = OutageError("scorer", "connection refused")
    one = batch(1)
    world.runner.accept(one.records)
    await happens(world.probe_pauses.entered)
    assert one.records.pending == 1
    assert len(errors) == 2, "it was asked after the first"
    world.dependencies["scorer"].error = None
    world.probe_pauses.end()
    await done(one)

    assert world.outside.sent_to(f"{TOPIC}.dlq") == [], "two more failures after the outage, and a third attempt that passes"


async def test_attempts_before_an_outage_are_not_held_against_the_record(make_world: MakeWorld) -> None:
    broken, down = TransientError("scorer", "the connection broke off"), OutageError("scorer", "connection refused")
    world = make_world(failing({1: [broken, broken, down, broken, broken]}))
    one = batch(1)
    world.runner.accept(one.records)
    await happens(world.probe_pauses.entered)
    world.probe_pauses.end()
    await done(one)

    assert world.outside.sent_to(f"{TOPIC}.dlq") == []


async def test_the_last_attempt_of_a_record_is_counted_anew_if_it_waited_at_the_gate_that_another_one_closed(make_world: MakeWorld) -> None:
    attempts = dict.fromkeys((1, 2), 0)

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        await asyncio.sleep(0)
        offset = deliveries[0].facts.offset
        attempts[offset] += 1
        if attempts[offset] <= 3:
            raise UnavailableError("scorer", "it answered 503")
        return [passed(delivery) for delivery in deliveries]

    world = make_world(work, at_once=False)
    two = batch(1, 2)
    world.runner.accept(two.records)
    for _ in range(4):
        await idle()
        world.retry_pauses.end()
    await happens(world.probe_pauses.entered)
    assert attempts == {1: 3, 2: 2}, "the third attempt of the first has closed the gate, the second one's is still to come"
    world.probe_pauses.end()
    await idle()
    assert attempts == {1: 3, 2: 3}, "the second one failed alone, for the third time"
    async with asyncio.timeout(TIMEOUT):
        while not two.done.is_set():
            world.retry_pauses.end()
            await asyncio.sleep(0)

    assert attempts == {1: 4, 2: 4}
    assert world.outside.sent_to(f"{TOPIC}.dlq") == []


@pytest.mark.parametrize("error", [UnavailableError("scorer", "it answered 503"), TransientError("scorer", "the connection broke off")])
async def test_the_same_failure_for_every_call_is_an_outage_though_the_probe_is_content(make_world: MakeWorld, error: OutsideError) -> None:
    failures: dict[int, list[OutsideError]] = {1: [error] * 7, 2: [error] * 7}
    world = make_world(failing(failures))
    two = batch(1, 2)
    world.runner.accept(two.records)
    async with asyncio.timeout(TIMEOUT):
        while not two.done.is_set():
            await asyncio.sleep(0)
            world.probe_pauses.end()

    assert world.outside.sent_to(f"{TOPIC}.dlq") == []
    assert len(world.probe_pauses.asked) > 1, "it closed more than once: the probe is well all the time"


async def test_a_store_that_is_too_slow_for_one_chunk_is_an_outage_though_its_probe_is_content_and_others_pass(make_world: MakeWorld) -> None:
    failures: dict[int, list[OutsideError]] = {2: [BusyError("postgres", "no answer in time")] * 9}
    world = make_world(failing(failures), chunk=2, in_flight=2)
    batches = [batch(offset, offset + 1) for offset in (1, 3, 5)]
    for one in batches:
        world.runner.accept(one.records)
    async with asyncio.timeout(TIMEOUT):
        while not all(one.done.is_set() for one in batches):
            await asyncio.sleep(0)
            world.probe_pauses.end()

    assert failures[2] == []
    assert world.outside.sent_to(f"{TOPIC}.dlq") == []
    assert len(world.outside.sent_to(OUT)) == 6


async def test_a_503_for_one_call_while_others_pass_is_a_dead_letter(make_world: MakeWorld) -> None:
    world = make_world(always(UnavailableError("scorer", "it answered 503"), 2), in_flight=1)
    batches = [batch(offset) for offset in (1, 2, 3)]
    for one in batches:
        world.runner.accept(one.records)
    await done(*batches)

    (letter,) = world.outside.sent_to(f"{TOPIC}.dlq")
    assert dict(letter.headers)["voc-dlq-offset"] == b"2"


async def test_a_refused_record_is_dead_lettered_at_once(make_world: MakeWorld) -> None:
    world = make_world(always(RejectedError("scorer", "it answered 422"), 1))
    one = batch(1)
    world.runner.accept(one.records)
    await done(one)

    assert world.retry_pauses.asked == []
    assert dict(world.outside.sent_to(f"{TOPIC}.dlq")[0].headers)["voc-dlq-error-type"] == b"rejected"


@pytest.mark.parametrize("error", [RejectedError("postgres", "a value is too long"), TransientError("postgres", "deadlock")])
async def test_a_chunk_that_fails_as_a_whole_is_tried_one_by_one(make_world: MakeWorld, error: OutsideError) -> None:
    world = make_world(always(error, 2), chunk=3, in_flight=3)
    three = batch(1, 2, 3)
    world.runner.accept(three.records)
    await done(three)

    assert len(world.outside.sent_to(OUT)) == 2
    (letter,) = world.outside.sent_to(f"{TOPIC}.dlq")
    assert dict(letter.headers)["voc-dlq-offset"] == b"2"


async def test_a_chunk_in_which_one_record_must_wait_is_tried_one_by_one(make_world: MakeWorld) -> None:
    asked: list[int] = []

    def one(delivery: Delivery) -> Outcome:
        asked.append(delivery.facts.offset)
        return Retry("not yet", 3.0) if delivery.facts.offset == 2 and asked.count(2) < 3 else passed(delivery)

    world = make_world(each(one), chunk=3, in_flight=3)
    three = batch(1, 2, 3)
    world.runner.accept(three.records)
    await done(three)

    assert world.retry_pauses.asked == [3.0]
    assert len(world.outside.sent_to(OUT)) == 3


async def test_a_change_that_the_database_refuses_makes_a_dead_letter_and_nothing_is_published(make_world: MakeWorld) -> None:
    world = make_world(each(passed))
    world.outside.apply_faults.append(RejectedError("postgres", "a value is too long"))
    one = batch(1)
    world.runner.accept(one.records)
    await done(one)

    assert world.outside.sent_to(OUT) == []
    assert len(world.outside.sent_to(f"{TOPIC}.dlq")) == 1


# dead letters


async def test_a_record_is_not_resolved_until_its_dead_letter_is_written(make_world: MakeWorld) -> None:
    world = make_world(each(lambda _: DeadLetter("not_audio", "it is a text")))
    world.outside.publish_faults.extend([None, OutageError("kafka", "no broker"), OutageError("kafka", "no broker")])
    world.dependencies["kafka"].error = OutageError("kafka", "no broker")
    one = batch(1)
    world.runner.accept(one.records)
    for error in (OutageError("kafka", "no broker"), None):
        await happens(world.probe_pauses.entered)
        assert one.position == 1
        world.dependencies["kafka"].error = error
        world.probe_pauses.end()
    await done(one)

    assert len(world.outside.sent_to(f"{TOPIC}.dlq")) == 1


async def test_a_dead_letter_that_kafka_finds_too_large_is_cut(make_world: MakeWorld) -> None:
    world = make_world(each(lambda _: DeadLetter("not_audio", "it is a text")))
    world.outside.publish_faults.extend([None, RejectedError("kafka", "a record is larger than Kafka takes")])
    one = batch(1)
    world.runner.accept(one.records)
    await done(one)

    (letter,) = world.outside.sent_to(f"{TOPIC}.dlq")
    assert "voc-dlq-cut" in dict(letter.headers)


async def test_a_dead_letter_that_kafka_finds_too_large_even_so_waits_and_does_not_end_the_worker(make_world: MakeWorld) -> None:
    world = make_world(each(lambda _: DeadLetter("not_audio", "it is a text")), at_once=False)
    world.outside.publish_faults.extend([None, *[RejectedError("kafka", "a record is larger than Kafka takes")] * 2])
    one = batch(1)
    world.runner.accept(one.records)
    await happens(world.retry_pauses.entered)
    assert one.position == 1
    world.retry_pauses.end()
    await done(one)

    assert world.crashes == []
    assert len(world.outside.sent_to(f"{TOPIC}.dlq")) == 1


async def test_a_dead_letter_is_published_before_the_database_is_told(make_world: MakeWorld) -> None:
    def give_up(delivery: Delivery) -> Outcome:
        ok = passed(delivery)
        assert isinstance(ok, Ok)
        return DeadLetter("not_audio", "it is a text", change=ok.change)

    world = make_world(each(give_up))
    one = batch(1)
    world.runner.accept(one.records)
    await done(one)

    assert world.outside.journal == [f"publish {TOPIC}.dlq", "change"]
