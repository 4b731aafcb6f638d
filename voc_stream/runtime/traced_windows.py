"""How a window of customer events is told: one trace for all of it, and a span for each of a few events in the trace that it came with."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from voc_stream.runtime.window_parts import Part
from voc_stream.stages.windows import Window
from voc_stream.tracing.current import Attributes, within
from voc_stream.tracing.headers import sampled_of
from voc_stream.tracing.names import (
    AGAIN,
    DEAD_LETTERS,
    DUPLICATES,
    LAST_OFFSET,
    MOVED,
    OFFSET,
    OUTCOME,
    PARTITION,
    RECORDS,
    SAMPLED_EVENTS,
    STORED,
    SYSTEM,
    TOPIC,
)
from voc_stream.tracing.tracing import Tracing

if TYPE_CHECKING:
    from voc_stream.tracing.otel import OtelSpan

# Events of one window that get a span: a producer that records everything must not cost more than what it is for.
MOST_EVENTS = 8

_offset: Callable[[Any], int] = attrgetter("offset")


def traced(tracing: Tracing, window: Window, parts: Sequence[Part], waited: float) -> AbstractContextManager[None]:
    """Tell a block as the storing of a window.

    Args:
        tracing: decides whether it is told.
        window: not formed yet.
        parts: its records.
        waited: seconds since the first of them came from Kafka.
    """
    if not tracing.on:
        return nullcontext()
    sampled = [record for part in parts for record in part.records if record.headers and sampled_of(record.headers)]
    began_ns = time.time_ns() - int(max(0.0, waited) * 1e9)
    told = {
        **_place(window),
        OFFSET: window.first,
        LAST_OFFSET: window.last,
        RECORDS: sum(part.stop - part.start for part in parts),
        SAMPLED_EVENTS: len(sampled),
        AGAIN: window.known is not None,
    }
    span = tracing.window("window", told, [record.headers for record in sampled[:MOST_EVENTS]], began_ns)
    return nullcontext() if span is None else _told(tracing, window, span, sampled[:MOST_EVENTS], began_ns)


@contextmanager
def _told(tracing: Tracing, window: Window, span: OtelSpan, sampled: Sequence[Any], began_ns: int) -> Iterator[None]:
    try:
        with within([span]):
            yield
    except BaseException as error:
        span.fail(type(error).__name__)
        raise
    else:
        span.tell({STORED: len(window.records), DUPLICATES: window.duplicates, DEAD_LETTERS: len(window.letters), MOVED: len(window.moved)})
        for record in sampled:
            told = {**_place(window), OFFSET: record.offset, OUTCOME: _outcome(window, record.offset)}
            if (event := tracing.event("event", record.headers, told, span, began_ns)) is not None:
                event.end()
    finally:
        span.end()


def _place(window: Window) -> Attributes:
    return {SYSTEM: "kafka", TOPIC: window.place.topic, PARTITION: str(window.place.partition)}


def _outcome(window: Window, offset: int) -> str:
    if any(record.offset == offset for record, _ in window.letters):
        return "dead_letter"
    if any(record.offset == offset for _, record in window.moved):
        return "moved"
    index = bisect_left(window.records, offset, key=_offset)
    return "stored" if index < len(window.records) and window.records[index].offset == offset else "duplicate"
