"""Spans by OpenTelemetry: made where somebody decided that they are recorded, queued, and sent by a thread that nobody waits for.

Imported only where TRACING_ENDPOINT is set: the packages are those of the group `tracing`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from voc_stream.logs import get_logger
from voc_stream.tracing.current import Attributes, Headers
from voc_stream.tracing.headers import TRACEPARENT, TRACESTATE, Given
from voc_stream.tracing.names import ERROR_TYPE, KNOWN

logger = get_logger(__name__)

# What a slow or absent receiver can cost: this many spans in memory, and those beyond them.
QUEUE_SPANS = 2048
BATCH_SPANS = 512
EVERY_SECONDS = 2.0
# A request with its repeats; after it the batch is dropped.
EXPORT_SECONDS = 5.0
CLOSE_SECONDS = 3.0

_LIMITS = SpanLimits(max_span_attributes=32, max_events=16, max_links=16, max_event_attributes=8, max_attribute_length=256)
_PROPAGATOR = TraceContextTextMapPropagator()

Count = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where spans go: the URL of an OTLP/HTTP receiver, and the token for it, if any."""

    url: str
    token: str = ""


class OtelSpan:
    """A span that is recorded."""

    __slots__ = ("_span", "_tracer", "trace_id")

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span
        self.trace_id = trace.format_trace_id(span.get_span_context().trace_id)

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self._span.is_recording()

    @property
    def headers(self) -> Headers:
        """What carries it on."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(self._span, Context()))
        return tuple((name, value.encode()) for name, value in carrier.items())

    @property
    def link(self) -> trace.Link:
        """What refers to it."""
        return trace.Link(self._span.get_span_context())

    def child(self, name: str) -> OtelSpan:
        """Begin a span within this one."""
        return OtelSpan(self._tracer, self._tracer.start_span(name, trace.set_span_in_context(self._span, Context())))

    def tell(self, attributes: Attributes) -> None:
        """Add attributes, as far as they are known to hold no personal data."""
        self._span.set_attributes(_known(attributes))

    def note(self, name: str, attributes: Attributes) -> None:
        """Add a moment."""
        self._span.add_event(name, _known(attributes))

    def fail(self, error_type: str) -> None:
        """Mark it as failed."""
        self.tell({ERROR_TYPE: error_type})
        self._span.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        """End it."""
        if self._span.is_recording():
            self._span.end()


class OpenTelemetry:
    """Makes spans and sends them.

    Args:
        receiver: where to.
        ratio: of traces that nobody has decided about, those to record, 0 to 1.
        resource: what all spans say of this process.
        count: told how many spans were `exported` or `failed`, from the thread that sends.
    """

    def __init__(self, receiver: Receiver, ratio: float, resource: Attributes, count: Count) -> None:
        # Its lines for every batch that fails would fill the log of a worker without a receiver; ours say when it begins and when it is over.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        headers = {"Authorization": f"Bearer {receiver.token}"} if receiver.token else None
        exporter = _Watched(OTLPSpanExporter(endpoint=receiver.url, headers=headers, timeout=EXPORT_SECONDS), count)
        self._ids = _Ids()
        self._ratio = TraceIdRatioBased(ratio)
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,  # who begins a span has decided already
            resource=Resource.create({name: value for name, value in resource.items() if value is not None}),
            shutdown_on_exit=False,  # it would hold up the end of the process
            id_generator=self._ids,
            span_limits=_LIMITS,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=QUEUE_SPANS, schedule_delay_millis=1000 * EVERY_SECONDS, max_export_batch_size=BATCH_SPANS)
        )
        self._tracer = self._provider.get_tracer("voc_stream")

    def samples(self, trace_id: int) -> bool:
        """Whether to record a trace that nobody has decided about: all who know its id agree."""
        return self._ratio.should_sample(None, trace_id, "").decision is Decision.RECORD_AND_SAMPLE

    def new_trace_id(self) -> int:
        """Return the id of a trace that nobody must find again."""
        return self._ids.generate_trace_id()

    def root(self, name: str, trace_id: int, attributes: Attributes, *, began_ns: int | None = None, links: Sequence[trace.Link] = ()) -> OtelSpan:
        """Begin a span without a parent in a trace."""
        self._ids.wanted = trace_id
        return self._begin(name, Context(), attributes, began_ns, links)

    def follow(self, name: str, headers: Given, attributes: Attributes, *, began_ns: int | None = None, links: Sequence[trace.Link] = ()) -> OtelSpan:
        """Begin a span whose parent is elsewhere."""
        return self._begin(name, _context_of(headers), attributes, began_ns, links)

    def links_to(self, several: Iterable[Given]) -> list[trace.Link]:
        """Return links to the spans that sent records."""
        return [trace.Link(trace.get_current_span(_context_of(headers)).get_span_context()) for headers in several]

    def close(self) -> None:
        """Send what is left, for CLOSE_SECONDS at most; the rest is dropped."""
        closing = threading.Thread(target=self._provider.shutdown, name="tracing closes", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)

    def _begin(self, name: str, parent: Context, attributes: Attributes, began_ns: int | None, links: Sequence[trace.Link]) -> OtelSpan:
        return OtelSpan(self._tracer, self._tracer.start_span(name, parent, attributes=_known(attributes), links=links, start_time=began_ns))


def _context_of(headers: Given) -> Context:
    carrier = {name: value.decode("ascii", "replace") for name, value in headers if name in {TRACEPARENT, TRACESTATE} and value}
    return _PROPAGATOR.extract(carrier, Context())


def _known(attributes: Attributes) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in attributes.items() if value is not None and name in KNOWN}


class _Ids(RandomIdGenerator):
    """Random ids, but for a trace whose id follows from what it is about. Spans begin on one thread."""

    wanted: int | None = None

    def generate_trace_id(self) -> int:
        wanted, self.wanted = self.wanted, None
        return super().generate_trace_id() if wanted is None else wanted

    def is_trace_id_random(self) -> bool:
        """Say no: a call's follows from its call_id."""
        return False


class _Watched(SpanExporter):
    """An exporter whose failures are counted, and told of when they begin and when they end."""

    def __init__(self, exporter: SpanExporter, count: Count) -> None:
        self._exporter = exporter
        self._count = count
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; never raises."""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - whatever a receiver does to its library, the thread goes on
            logger.debug("spans could not be sent", reason=type(error).__name__)
            result = SpanExportResult.FAILURE
        failed = result is not SpanExportResult.SUCCESS
        self._count("failed" if failed else "exported", len(spans))
        if failed and not self._failing:
            logger.warning("spans cannot be sent: they are dropped, the stream goes on")
        elif self._failing and not failed:
            logger.info("spans are sent again")
        self._failing = failed
        return result

    def shutdown(self) -> None:
        """Send no more."""
        self._exporter.shutdown()
