"""uvicorn's HTTP/1.1 with patience that ends: for a head that does not come, for an answer that is not taken, for too many connections.

What is no HTTP is told so as every error is, as a problem.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from voc_stream.settings import Settings
from voc_stream.web.headers import ALWAYS
from voc_stream.web.metrics import CONNECTIONS, REFUSED
from voc_stream.web.problems import MEDIA_TYPE, Problem

# A request's head must be whole by then, after its first byte or after the connection was made.
HEAD_SECONDS = 10.0
# So long nothing, or next to nothing, was taken of what waits to be sent (64 KiB).
STALL_SECONDS = 30.0
MOST_HEAD_BYTES = 24 << 10


@dataclass(slots=True)
class Bounds:
    """How many connections there may be.

    Attributes:
        most: altogether.
        most_of_peer: of one address, but not of a proxy's, which speaks for many.
        proxies: their addresses.
        peers: connections by address.
    """

    most: int
    most_of_peer: int
    proxies: frozenset[str]
    peers: Counter[str] = field(default_factory=Counter)


def patient(settings: Settings) -> type[H11Protocol]:
    """Return the protocol class for one uvicorn.

    Args:
        settings: HTTP_MAX_CONNECTIONS, HTTP_MAX_PEER_CONNECTIONS, HTTP_PROXIES.
    """
    # Each is counted: whoever sends many must not fill the log.
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    bounds = Bounds(settings.http_max_connections, settings.http_max_peer_connections, frozenset(settings.http_proxies))
    return type("BoundedPatient", (Patient,), {"bounds": bounds})


class Patient(H11Protocol):
    """One connection."""

    bounds: ClassVar[Bounds]
    _head: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None
    _peer = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse it."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else ""
        self.bounds.peers[self._peer] += 1
        CONNECTIONS.inc()
        if self._is_one_too_many():
            REFUSED.labels("connections").inc()
            self._answer(Problem(503, "too many connections", retry_after=5.0))
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        super().connection_lost(exc)
        CONNECTIONS.dec()
        self.bounds.peers[self._peer] -= 1
        if not self.bounds.peers[self._peer]:
            del self.bounds.peers[self._peer]
        self._head = _cancelled(self._head)
        self._stall = _cancelled(self._stall)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that has begun must end in time."""
        super().data_received(data)
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            self._head = _cancelled(self._head)
        elif self._head is None and not self._is_answering():
            self._expect_head()

    def pause_writing(self) -> None:
        """Note that the caller does not take what it asked for."""
        super().pause_writing()
        self._stall = self.loop.call_later(STALL_SECONDS, self._give_up, "slow_reader")

    def resume_writing(self) -> None:
        """Note that it does."""
        self._stall = _cancelled(self._stall)
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; the error under way knows what is the matter."""
        REFUSED.labels("malformed").inc()
        error = sys.exc_info()[1]
        status = getattr(error, "error_status_hint", 400)
        self._answer(Problem(status, f"a head has at most {MOST_HEAD_BYTES} bytes" if status == 431 else msg.rstrip(".").lower()))

    def _is_one_too_many(self) -> bool:
        bounds = self.bounds
        return len(self.connections) > bounds.most or (bounds.peers[self._peer] > bounds.most_of_peer and self._peer not in bounds.proxies)

    def _should_upgrade(self) -> bool:
        return False

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self) -> None:
        self._head = self.loop.call_later(HEAD_SECONDS, self._give_up, "slow_head")

    def _give_up(self, reason: str) -> None:
        REFUSED.labels(reason).inc()
        self.transport.abort()

    def _answer(self, problem: Problem) -> None:
        made = problem.answer()
        lines = [f"HTTP/1.1 {problem.status} {problem.title}", "Connection: close", f"Content-Type: {MEDIA_TYPE}"]
        lines += [f"{name}: {value}" for name, value in (ALWAYS | problem.headers | {"Content-Length": str(len(made.body))}).items()]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + bytes(made.body))
        self.transport.close()


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg != "Invalid HTTP request received."


def _cancelled(timer: asyncio.TimerHandle | None) -> Any:
    if timer is not None:
        timer.cancel()
