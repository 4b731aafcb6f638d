"""A receiver of spans by OTLP/HTTP, in a thread of the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """A span as it came: ids in hex, times in nanoseconds."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began: int
    ended: int
    failed: bool
    attributes: dict[str, Any]
    links: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class Receiver:
    """What came so far.

    Attributes:
        answer: the status of the next answers.
        answering: while it is not set nobody gets an answer.
        authorization: of the last request.
    """

    url: str = ""
    answer: int = 200
    requests: int = 0
    authorization: str | None = None
    path: str = ""
    resource: dict[str, Any] = field(default_factory=dict)
    spans: list[Told] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)
    _came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, path: str, authorization: str | None, body: bytes) -> int:
        """Note a request, when it may be answered."""
        self.answering.wait(PATIENCE_SECONDS)
        request = ExportTraceServiceRequest.FromString(body)
        with self._came:
            self.requests += 1
            self.path, self.authorization = path, authorization
            if self.answer == 200:
                for of_resource in request.resource_spans:
                    self.resource = _plain(of_resource.resource.attributes)
                    self.spans += [_told(span) for scope in of_resource.scope_spans for span in scope.spans]
            self._came.notify_all()
        return self.answer

    def until(self, holds: Callable[[list[Told]], bool], patience: float = PATIENCE_SECONDS) -> list[Told]:
        """Wait until it holds of the spans that came; return them."""
        deadline = time.monotonic() + patience
        with self._came:
            while not holds(self.spans):
                assert self._came.wait(max(0.0, deadline - time.monotonic())), [(span.name, span.attributes) for span in self.spans[-40:]]
            return list(self.spans)

    def named(self, name: str) -> list[Told]:
        """Return the spans of a name."""
        with self._came:
            return [span for span in self.spans if span.name == name]


@contextmanager
def otlp_receiver() -> Iterator[Receiver]:
    """Lend a receiver; it listens at `url`."""
    receiver = Receiver()
    receiver.answering.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status = receiver.take(self.path, self.headers["Authorization"], self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.answering.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _told(span: Any) -> Told:
    return Told(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        failed=span.status.code == 2,
        attributes=_plain(span.attributes),
        links=tuple(link.trace_id.hex() for link in span.links),
        notes=tuple(event.name for event in span.events),
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}
