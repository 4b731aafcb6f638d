"""What is traced: a trace for a call, whose id follows from its call_id; a trace for a window of customer events; and what others began (ADR 32)."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from voc_stream.logs import get_logger
from voc_stream.settings import Settings
from voc_stream.tracing.current import Attributes, Span
from voc_stream.tracing.headers import Given, is_sampled, traceparent_of
from voc_stream.tracing.names import CALL_ID
from voc_stream.version import VERSION

if TYPE_CHECKING:
    from voc_stream.tracing.otel import OpenTelemetry, OtelSpan

logger = get_logger(__name__)

SERVICE = "voc-stream"
_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class Tracing:
    """Decides what is traced. Does nothing before `open`, and never anything where TRACING_ENDPOINT is not set.

    Args:
        settings: TRACING_*; None: nothing is traced.
        count: told how many spans were `exported` or `failed`.
    """

    def __init__(self, settings: Settings | None = None, count: Callable[[str, int], None] = lambda _what, _many: None) -> None:
        self._settings = settings
        self._count = count
        self._telemetry: OpenTelemetry | None = None
        self._prefix = ""

    @property
    def on(self) -> bool:
        """Whether anything may be traced."""
        return self._telemetry is not None

    async def open(self) -> None:
        """Load what it takes, beside the event loop."""
        settings = self._settings
        if settings is None or not settings.tracing_endpoint or self._telemetry is not None:
            return
        if not _installed():
            logger.warning("nothing is traced: TRACING_ENDPOINT is set, but the packages of the group tracing are not installed")
            return
        self._telemetry = await asyncio.to_thread(_load, settings, self._count)
        self._prefix = f"{settings.app_env}\x1f"

    async def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        telemetry, self._telemetry = self._telemetry, None
        if telemetry is not None:
            await asyncio.to_thread(telemetry.close)

    def call(self, name: str, call_id: str | None, attributes: Attributes, *, headers: Given = (), began_ns: int | None = None) -> Span | None:
        """Begin a span of a call, as whoever sent its record decided; where nobody did, the call's id decides, wherever it is met.

        Args:
            name: what is done.
            call_id: None where it cannot be told.
            attributes: beside the call's id.
            headers: of the record.
            began_ns: nanoseconds of the epoch; by default now.
        """
        if self._telemetry is None:
            return None
        told = {CALL_ID: call_id, **attributes}
        parent = traceparent_of(headers)
        if parent is not None:
            return self._telemetry.follow(name, headers, told, began_ns=began_ns) if is_sampled(parent) else None
        if call_id is None or not self._telemetry.samples(trace_id := self.trace_id_of(call_id)):
            return None
        return self._telemetry.root(name, trace_id, told, began_ns=began_ns)

    def window(self, name: str, attributes: Attributes, events: Sequence[Given], began_ns: int) -> OtelSpan | None:
        """Begin a trace of a window, if it is its turn or it holds events of traces that are recorded, to which it links.

        Args:
            name: what is done.
            attributes: of the window.
            events: headers of records whose traces are recorded.
            began_ns: nanoseconds of the epoch.
        """
        if self._telemetry is None:
            return None
        from voc_stream.tracing.otel import links_to, random_trace_id

        trace_id = random_trace_id()
        if not events and not self._telemetry.samples(trace_id):
            return None
        return self._telemetry.root(name, trace_id, attributes, began_ns=began_ns, links=links_to(events))

    def event(self, name: str, headers: Given, attributes: Attributes, window: OtelSpan, began_ns: int) -> Span | None:
        """Begin a span of an event in the trace that its record came with; it links to the window's."""
        if self._telemetry is None:
            return None
        return self._telemetry.follow(name, headers, attributes, began_ns=began_ns, links=[window.link])

    def trace_id_of(self, call_id: str) -> int:
        """Return the trace of a call: known to all who meet it, also when its headers were lost."""
        return int.from_bytes(hashlib.sha256(f"{self._prefix}{call_id}".encode()).digest()[:16]) or 1


def _installed() -> bool:
    try:
        return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)
    except ModuleNotFoundError:
        return False


def _load(settings: Settings, count: Callable[[str, int], None]) -> OpenTelemetry:
    from voc_stream.tracing.otel import OpenTelemetry, Receiver

    resource: dict[str, Any] = {
        "service.name": SERVICE,
        "service.version": VERSION,
        "service.instance.id": f"{socket.gethostname()}:{settings.operator_port}",
        "deployment.environment.name": settings.app_env,
    }
    receiver = Receiver(settings.tracing_url, settings.tracing_token.get_secret_value())
    return OpenTelemetry(receiver, settings.tracing_ratio, resource, count)


OFF = Tracing()
