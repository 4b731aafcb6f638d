"""What a stage tells in its calls' traces, and how the trace goes on: headers, timeline, log fields."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.otlp import Receiver, Told, otlp_receiver
from tests.unit.runtime.conftest import MakeWorld
from tests.unit.runtime.world import OUT, Batch, World, each, passed, record
from tests.unit.services.made import settings
from tests.unit.tracing.test_headers import SAMPLED, TRACE
from voc_stream.errors import TransientError
from voc_stream.runtime.dead_letter import dead_letter_topic
from voc_stream.runtime.stage import Delivery
from voc_stream.stages.changes import At, Parked
from voc_stream.stages.outcome import DeadLetter, Drop, Ok, Outcome
from voc_stream.tracing.headers import traceparent_of
from voc_stream.tracing.tracing import Tracing

CARRIED = (("traceparent", SAMPLED),)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    with otlp_receiver() as lent:
        yield lent


async def traced(world: World, receiver: Receiver, *batches: Batch) -> list[Told]:
    """Let a world work on batches with tracing; return the spans that came."""
    tracing = Tracing(settings(tracing_endpoint=receiver.url, tracing_ratio=0.0))
    await tracing.open()
    world.trace(tracing)
    for batch in batches:
        world.runner.accept(batch.records)
    async with asyncio.timeout(10):
        for batch in batches:
            await batch.done.wait()
    await world.runner.quiesce(1.0)
    await tracing.close()
    return sorted(receiver.spans, key=lambda span: span.began)


def told_of(delivery: Delivery) -> Outcome:
    """A note that passes, with its trace in its change."""
    outcome = passed(delivery)
    assert isinstance(outcome, Ok)
    assert isinstance(outcome.change, Parked)
    facts = delivery.facts
    at = At(facts.now, facts.topic, facts.partition, facts.offset, facts.attempt, facts.trace_id)
    return replace(outcome, change=replace(outcome.change, at=at))


async def test_a_record_s_trace_goes_on_in_what_it_leads_to_and_in_the_timeline(make_world: MakeWorld, receiver: Receiver) -> None:
    world = make_world(each(told_of))
    (span,) = await traced(world, receiver, Batch([record(0, headers=CARRIED), record(1)]))

    assert (span.name, span.trace_id, span.parent_id) == ("note", TRACE, "00f067aa0ba902b7")
    assert {name: span.attributes[name] for name in ("voc.stage", "voc.outcome", "messaging.kafka.offset")} == {
        "voc.stage": "note", "voc.outcome": "ok", "messaging.kafka.offset": 0,
    }  # fmt: skip
    first, second = sorted(world.outside.sent_to(OUT), key=lambda sent: not sent.headers)
    assert traceparent_of(first.headers) == f"00-{TRACE}-{span.span_id}-01".encode()
    assert second.headers == ()
    traces: list[Any] = [change.at.trace_id for change in world.outside.changes]
    assert sorted(traces, key=str) == [TRACE, None] or sorted(traces, key=str) == [None, TRACE]


async def test_where_nothing_is_traced_records_lead_to_what_they_always_did(make_world: MakeWorld) -> None:
    world = make_world(each(told_of))
    batch = Batch([record(0, headers=CARRIED)])
    world.runner.accept(batch.records)
    async with asyncio.timeout(5):
        await batch.done.wait()
    assert world.outside.sent_to(OUT)[0].headers == ()
    change: Any = world.outside.changes[0]
    assert change.at.trace_id is None


async def test_what_becomes_of_a_record_is_told_and_a_dead_letter_keeps_the_trace_that_it_came_with(
    make_world: MakeWorld, receiver: Receiver
) -> None:
    outcomes: dict[int, Outcome] = {0: Drop("duplicate"), 1: DeadLetter("not_audio", "what a person said")}
    world = make_world(each(lambda delivery: outcomes[delivery.facts.offset]))
    spans = await traced(world, receiver, Batch([record(0, headers=CARRIED), record(1, headers=CARRIED), record(2, b"no json", headers=CARRIED)]))

    told = {span.attributes["messaging.kafka.offset"]: span for span in spans if span.name == "note"}
    assert [(told[offset].attributes["voc.outcome"], told[offset].failed) for offset in range(3)] == [
        ("duplicate", False), ("dead_letter", True), ("dead_letter", True),
    ]  # fmt: skip
    assert [told[offset].attributes["error.type"] for offset in (1, 2)] == ["not_audio", "malformed"]
    letters = world.outside.sent_to(dead_letter_topic("notes"))
    assert [traceparent_of(letter.headers) for letter in letters] == [SAMPLED, SAMPLED]


async def test_attempts_are_moments_of_one_span(make_world: MakeWorld, receiver: Receiver) -> None:
    faults = [TransientError("scorer", "it broke off"), TransientError("scorer", "it broke off")]

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        await asyncio.sleep(0)
        if faults:
            raise faults.pop()
        return [told_of(delivery) for delivery in deliveries]

    spans = await traced(make_world(work), receiver, Batch([record(0, headers=CARRIED)]))
    (span,) = [span for span in spans if span.name == "note"]
    assert span.notes == ("an attempt failed", "an attempt failed")
    assert span.attributes["voc.outcome"] == "ok"


async def test_work_that_is_abandoned_says_so(make_world: MakeWorld, receiver: Receiver) -> None:
    begun = asyncio.Event()

    async def work(_: Sequence[Delivery]) -> Sequence[Outcome]:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    world = make_world(work)
    tracing = Tracing(settings(tracing_endpoint=receiver.url))
    await tracing.open()
    world.trace(tracing)
    world.runner.accept(Batch([record(0, headers=CARRIED)]).records)
    async with asyncio.timeout(5):
        await begun.wait()
    await world.runner.quiesce(0.0)
    await tracing.close()
    (span,) = receiver.spans
    assert span.attributes["voc.outcome"] == "abandoned"
