"""Whether anything is traced, and which calls: as the sender of a record decided, or else by the trace's id, which follows from the call's."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voc_stream.logs import get_logger
from voc_stream.settings import Settings
from voc_stream.tracing.budget import Budget
from voc_stream.tracing.current import Attributes, Span
from voc_stream.tracing.headers import Given, is_sampled, traceparent_of
from voc_stream.tracing.names import CALL_ID
from voc_stream.version import VERSION

if TYPE_CHECKING:
    from voc_stream.tracing.otel import OpenTelemetry

logger = get_logger(__name__)

SERVICE = "voc-stream"
# Of customer events that their producers record, a worker tells so much: a span costs 100 to 250 µs with its way to the receiver.
FOLLOWED_PER_SECOND = 20
FOLLOWED_AT_ONCE = 80
_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class Tracing:
    """Decides what is traced. Does nothing before `open`, and never anything where TRACING_ENDPOINT is not set.

    Args:
        settings: TRACING_*; None: nothing is traced.
        count: told how many spans were `exported` or `failed`, and how many events of recorded traces were `left_out`.

    Attributes:
        telemetry: makes spans, while anything may be traced.
        budget: of what is told of windows because of the events in them.
    """

    def __init__(self, settings: Settings | None = None, count: Callable[[str, int], None] = lambda _what, _many: None) -> None:
        self._settings = settings
        self.count = count
        self.telemetry: OpenTelemetry | None = None
        self.budget = Budget(FOLLOWED_PER_SECOND, FOLLOWED_AT_ONCE)
        self._prefix = ""

    @property
    def on(self) -> bool:
        """Whether anything may be traced."""
        return self.telemetry is not None

    async def open(self) -> None:
        """Load what it takes, beside the event loop."""
        settings = self._settings
        if settings is None or not settings.tracing_endpoint or self.telemetry is not None:
            return
        if not _installed():
            logger.warning("nothing is traced: TRACING_ENDPOINT is set, but the packages of the group tracing are not installed")
            return
        self.telemetry = await asyncio.to_thread(_load, settings, self.count)
        self._prefix = f"{settings.app_env}\x1f"

    async def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        telemetry, self.telemetry = self.telemetry, None
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
        if self.telemetry is None:
            return None
        told = {CALL_ID: call_id, **attributes}
        parent = traceparent_of(headers)
        if parent is not None:
            return self.telemetry.follow(name, headers, told, began_ns=began_ns) if is_sampled(parent) else None
        if call_id is None or not self.telemetry.samples(trace_id := self.trace_id_of(call_id)):
            return None
        return self.telemetry.root(name, trace_id, told, began_ns=began_ns)

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
