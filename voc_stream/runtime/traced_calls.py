"""How a stage tells of its records in their calls' traces (docs/tracing.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from voc_stream.errors import OutsideError
from voc_stream.runtime.outgoing import Headers
from voc_stream.runtime.stage import Delivery
from voc_stream.stages.outcome import DeadLetter, Drop, Outcome
from voc_stream.tracing.names import ATTEMPT, DEPENDENCY, OFFSET, OUTCOME, PARTITION, QUEUED_SECONDS, STAGE, SYSTEM, TENANT_ID, TOPIC
from voc_stream.tracing.tracing import Tracing


def begun(tracing: Tracing, stage: str, delivery: Delivery) -> Delivery:
    """Return a delivery that was just taken up, with its span if its call's trace is recorded."""
    if not tracing.on:
        return delivery
    facts, record = delivery.facts, delivery.record
    told = {
        STAGE: stage,
        TENANT_ID: delivery.tenant_id,
        SYSTEM: "kafka",
        TOPIC: facts.topic,
        PARTITION: str(facts.partition),
        OFFSET: facts.offset,
        QUEUED_SECONDS: max(0.0, round(facts.now.timestamp() - record.timestamp / 1000, 3)),
    }
    span = tracing.call(stage, getattr(delivery.event, "call_id", None), told, headers=record.headers)
    return delivery if span is None else replace(delivery, facts=replace(facts, trace_id=span.trace_id), span=span)


@contextmanager
def ending(deliveries: Sequence[Delivery]) -> Iterator[None]:
    """End the spans with the block; work that is abandoned in it, un-acked, begins another one elsewhere."""
    try:
        yield
    except asyncio.CancelledError:
        for delivery in deliveries:
            if delivery.span is not None:
                delivery.span.tell({OUTCOME: "abandoned"})
        raise
    finally:
        for delivery in deliveries:
            if delivery.span is not None:
                delivery.span.end()


def tell_outcome(delivery: Delivery, outcome: Outcome) -> None:
    """Tell what became of a record."""
    match outcome:
        case _ if delivery.span is None:
            pass
        case DeadLetter(error_type=error_type):
            delivery.span.tell({OUTCOME: "dead_letter"})
            delivery.span.fail(error_type)
        case Drop(reason=reason):
            delivery.span.tell({OUTCOME: reason})
        case _:
            delivery.span.tell({OUTCOME: "ok"})


def attempt_failed(delivery: Delivery, error: OutsideError) -> None:
    """Tell of an attempt that will be repeated."""
    if delivery.span is not None:
        delivery.span.note("an attempt failed", {ATTEMPT: delivery.facts.attempt, DEPENDENCY: error.dependency})


def carrying(delivery: Delivery) -> Headers:
    """Return the headers of what a record leads to."""
    return () if delivery.span is None else delivery.span.headers
