"""What a window of customer events tells, and how few of its events do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.otlp import Receiver, otlp_receiver
from tests.unit.runtime.test_windowed import World
from tests.unit.runtime.world import Batch, record
from tests.unit.services.made import settings
from tests.unit.tracing.test_headers import NOT_SAMPLED, SAMPLED, TRACE
from tests.voc import action_value
from voc_stream.runtime.ledger import PartitionLedger, RecordBatch
from voc_stream.runtime.traced_windows import MOST_EVENTS, MOST_LOOKED_AT, traced
from voc_stream.runtime.window_parts import Part
from voc_stream.stages.outcome import DeadLetter
from voc_stream.stages.ranges import ClaimId, Place
from voc_stream.stages.windows import Window
from voc_stream.tracing.budget import Budget
from voc_stream.tracing.current import current_trace_id, step
from voc_stream.tracing.tracing import OFF, Tracing

CARRIED = (("traceparent", SAMPLED),)
PLACE = Place("1", "voc.calls", 3)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    with otlp_receiver() as lent:
        yield lent


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    for gate in made.gates.values():
        await gate.stop()


async def tracing_to(receiver: Receiver, ratio: float) -> Tracing:
    made = Tracing(settings(tracing_endpoint=receiver.url, tracing_ratio=ratio))
    await made.open()
    return made


def window_of(records: Sequence[Any]) -> tuple[Window, list[Part]]:
    ledger = PartitionLedger(records[0].offset, max_records=1000, max_bytes=1 << 20)
    batch = RecordBatch("voc.calls", 3, records, ledger=ledger)
    window = Window(PLACE, ClaimId(1, 1), records[0].offset, records[-1].offset, 0)
    return window, [Part(batch, 0, len(records))]


async def test_a_window_is_one_span_with_its_steps_and_its_counts(receiver: Receiver) -> None:
    tracing = await tracing_to(receiver, 1.0)
    records = [record(offset, headers=[]) for offset in range(10, 15)]
    window, parts = window_of(records)
    with traced(tracing, window, parts, 1.5):
        with step("clickhouse insert"):
            assert current_trace_id() is not None
        window.records, window.duplicates = records[:3], 1
        window.letters = [(records[4], DeadLetter("malformed", "no"))]
    await tracing.close()
    insert, span = receiver.spans

    assert (insert.name, insert.trace_id, insert.parent_id) == ("clickhouse insert", span.trace_id, span.span_id)
    assert span.ended - span.began >= 1.5e9
    assert span.attributes == {
        "messaging.system": "kafka", "messaging.destination.name": "voc.calls", "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 10, "voc.last_offset": 14, "voc.sampled_events": 0, "voc.again": False,
        "voc.stored": 3, "voc.duplicates": 1, "voc.dead_letters": 1, "voc.moved": 0,
    }  # fmt: skip


async def test_events_of_recorded_traces_tell_in_their_own_what_became_of_them(receiver: Receiver) -> None:
    tracing = await tracing_to(receiver, 0.0)
    records = [record(0, headers=CARRIED), record(1, headers=[("traceparent", NOT_SAMPLED)]), record(2, headers=CARRIED), record(3, headers=CARRIED)]
    window, parts = window_of(records)
    with traced(tracing, window, parts, 0.0):
        window.records = records[:2]
        window.letters = [(records[2], DeadLetter("malformed", "no"))]
    await tracing.close()

    *events, span = receiver.spans
    assert [(event.trace_id, event.links, event.attributes["messaging.kafka.offset"], event.attributes["voc.outcome"]) for event in events] == [
        (TRACE, (span.trace_id,), 0, "stored"), (TRACE, (span.trace_id,), 2, "dead_letter"), (TRACE, (span.trace_id,), 3, "duplicate"),
    ]  # fmt: skip
    assert span.links == (TRACE, TRACE, TRACE)
    assert span.attributes["voc.sampled_events"] == 3


async def test_a_producer_that_records_everything_gets_a_few_spans_a_window(receiver: Receiver) -> None:
    tracing = await tracing_to(receiver, 0.0)
    window, parts = window_of([record(offset, headers=CARRIED) for offset in range(500)])
    with traced(tracing, window, parts, 0.0):
        window.records = list(parts[0].records)
    await tracing.close()
    assert len(receiver.spans) == MOST_EVENTS + 1
    assert receiver.spans[-1].attributes["voc.sampled_events"] == 500


async def test_of_a_backlogs_window_the_first_events_are_looked_at(receiver: Receiver) -> None:
    tracing = await tracing_to(receiver, 0.0)
    window, parts = window_of([record(offset, headers=CARRIED if offset in {MOST_LOOKED_AT - 1, MOST_LOOKED_AT} else ()) for offset in range(1000)])
    with traced(tracing, window, parts, 0.0):
        window.records = list(parts[0].records)
    await tracing.close()
    assert [span.attributes["messaging.kafka.offset"] for span in receiver.named("event")] == [MOST_LOOKED_AT - 1]


async def test_what_producers_record_is_told_within_a_budget_and_the_rest_is_counted(receiver: Receiver) -> None:
    tracing = await tracing_to(receiver, 0.0)
    tracing.budget = Budget(0.0, 30)
    left_out: list[int] = []
    tracing.count = lambda what, many: left_out.append(many) if what == "left_out" else None
    for _ in range(5):
        window, parts = window_of([record(offset, headers=CARRIED) for offset in range(20)])
        with traced(tracing, window, parts, 0.0):
            window.records = list(parts[0].records)
    await tracing.close()
    assert len(receiver.named("window")) == 1
    assert len(receiver.named("event")) == MOST_EVENTS
    assert left_out == [20 - MOST_EVENTS]


async def test_a_window_that_is_given_up_ends_its_span_as_failed(receiver: Receiver) -> None:
    tracing = await tracing_to(receiver, 1.0)
    window, parts = window_of([record(0, headers=CARRIED)])
    with pytest.raises(KeyError), traced(tracing, window, parts, 0.0):
        raise KeyError("a customer")
    await tracing.close()
    (span,) = receiver.spans
    assert (span.failed, span.attributes["error.type"]) == (True, "KeyError")


async def test_most_windows_and_all_of_them_without_tracing_tell_nothing(receiver: Receiver) -> None:
    tracing = await tracing_to(receiver, 0.0)
    window, parts = window_of([record(0, headers=[("traceparent", NOT_SAMPLED)])])
    for each in (tracing, OFF):
        with traced(each, window, parts, 0.0):
            assert current_trace_id() is None
    await tracing.close()
    assert receiver.spans == []


async def test_records_that_were_given_back_are_said_to_have_waited_for_ever(receiver: Receiver) -> None:
    tracing = await tracing_to(receiver, 1.0)
    window, parts = window_of([record(0, headers=())])
    with traced(tracing, window, parts, float("inf")):
        pass
    await tracing.close()
    assert len(receiver.spans) == 1


async def test_a_lane_tells_of_its_windows_and_of_their_steps(receiver: Receiver, world: World) -> None:
    tracing = await tracing_to(receiver, 0.0)
    runner = world.runner()
    runner._tools = replace(runner._tools, tracing=tracing)
    records = [record(number, action_value(number), headers=CARRIED if number == 7 else ()) for number in range(10)]
    first, second = Batch(records[:5]), Batch(records[5:])
    for batch in (first, second):
        runner.accept(batch.records)
        await batch.done.wait()
    await runner.quiesce(0.0)
    await tracing.close()

    (window,) = receiver.named("window")
    assert (window.attributes["messaging.kafka.offset"], window.attributes["voc.stored"], window.links) == (5, 5, (TRACE,))
    assert {span.name for span in receiver.spans if span.parent_id == window.span_id} == {"redact", "encode"}
    (event,) = receiver.named("event")
    assert (event.trace_id, event.attributes["messaging.kafka.offset"], event.attributes["voc.outcome"]) == (TRACE, 7, "stored")
