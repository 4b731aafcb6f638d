"""How a window of customer events is told: one trace for all of it, and a span for each of a few events in the trace that it came with."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from voc_stream.runtime.window_parts import Part
from voc_stream.stages.windows import Window
from voc_stream.tracing.current import Value, within
from voc_stream.tracing.headers import FLAGS_AT, TRACEPARENT, sampled_of
from voc_stream.tracing.names import (
    AGAIN,
    DEAD_LETTERS,
    DUPLICATES,
    LAST_OFFSET,
    MOVED,
    OFFSET,
    OUTCOME,
    PARTITION,
    SAMPLED_EVENTS,
    STORED,
    SYSTEM,
    TOPIC,
)
from voc_stream.tracing.tracing import Tracing

if TYPE_CHECKING:
    from voc_stream.tracing.otel import OpenTelemetry, OtelSpan

# A window's span and its steps.
WINDOW_SPANS = 8
# Events of one window that get a span; spans link to no more.
MOST_EVENTS = 16
# So many of a window's records are looked at: to look at each of a backlog's would cost as much as the spans do.
MOST_LOOKED_AT = 500
# What was given back and is taken again is said to have waited for ever.
MOST_WAITED_SECONDS = 600.0
_ODD = frozenset((b"1", b"3", b"5", b"7", b"9", b"b", b"d", b"f"))

_offset: Callable[[Any], int] = attrgetter("offset")


def traced(tracing: Tracing, window: Window, parts: Sequence[Part], waited: float) -> AbstractContextManager[None]:
    """Tell a block as the storing of a window: if it is its turn, or, within the budget, if it holds events of traces that are recorded.

    Args:
        tracing: decides whether it is told.
        window: not formed yet.
        parts: its records.
        waited: seconds since the first of them came from Kafka.
    """
    telemetry, budget = tracing.telemetry, tracing.budget
    if telemetry is None:
        return nullcontext()
    trace_id = telemetry.new_trace_id()
    turn = telemetry.samples(trace_id)
    if not turn and not budget.covers(WINDOW_SPANS + 1):
        return nullcontext()
    sampled = _sampled(parts)
    if not turn and not sampled:
        return nullcontext()
    if not turn:
        budget.take(WINDOW_SPANS)
    followed = sampled[: budget.take(min(len(sampled), MOST_EVENTS))]
    tracing.count("left_out", len(sampled) - len(followed))
    span = telemetry.root(
        "window",
        trace_id,
        _place(window) | {OFFSET: window.first, LAST_OFFSET: window.last, SAMPLED_EVENTS: len(sampled), AGAIN: window.known is not None},
        began_ns=time.time_ns() - int(min(max(0.0, waited), MOST_WAITED_SECONDS) * 1e9),
        links=telemetry.links_to(record.headers for record in followed),
    )
    return _told(telemetry, window, span, followed)


@contextmanager
def _told(telemetry: OpenTelemetry, window: Window, span: OtelSpan, followed: Sequence[Any]) -> Iterator[None]:
    began_ns = time.time_ns()
    try:
        with within([span]):
            yield
    except BaseException as error:
        span.fail(type(error).__name__)
        raise
    else:
        span.tell({STORED: len(window.records), DUPLICATES: window.duplicates, DEAD_LETTERS: len(window.letters), MOVED: len(window.moved)})
        for record in followed:
            told = _place(window) | {OFFSET: record.offset, OUTCOME: _outcome(window, record.offset)}
            telemetry.follow("event", record.headers, told, began_ns=began_ns, links=[span.link]).end()
    finally:
        span.end()


def _sampled(parts: Sequence[Part]) -> list[Any]:
    """Return the records of recorded traces among a window's first; of the others, which are nearly all, little is looked at."""
    likely = [
        record
        for record in islice(chain.from_iterable(part.records for part in parts), MOST_LOOKED_AT)
        for name, value in record.headers
        if name == TRACEPARENT and value and value[FLAGS_AT : FLAGS_AT + 1] in _ODD
    ]
    return [record for record in likely if sampled_of(record.headers)]


def _place(window: Window) -> dict[str, Value]:
    return {SYSTEM: "kafka", TOPIC: window.place.topic, PARTITION: str(window.place.partition)}


def _outcome(window: Window, offset: int) -> str:
    if any(record.offset == offset for record, _ in window.letters):
        return "dead_letter"
    if any(record.offset == offset for _, record in window.moved):
        return "moved"
    index = bisect_left(window.records, offset, key=_offset)
    return "stored" if index < len(window.records) and window.records[index].offset == offset else "duplicate"
