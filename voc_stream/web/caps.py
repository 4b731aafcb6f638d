"""What a request may be, before any route sees it: target, headers, host, body, time. What breaks a cap is refused, and counted.

What the application raises and does not handle becomes a 500 that tells nothing; the log has where it was raised, and no value.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
import traceback
import uuid
from urllib.parse import unquote_to_bytes

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voc_stream.logs import get_logger
from voc_stream.settings import Settings
from voc_stream.web.metrics import REFUSED, REQUEST_SECONDS, REQUESTS
from voc_stream.web.problems import Problem, problem_of
from voc_stream.web.rates import Rates

logger = get_logger(__name__)

MOST_TARGET_BYTES = 8 << 10
MOST_HEADERS = 100
MOST_HEADER_BYTES = 16 << 10
# A body must have come, and an answer must have begun, by then.
BODY_SECONDS = 15.0
ANSWER_SECONDS = 20.0
# Answered whatever name they are asked by: who checks a container's health uses its address.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_NUL = re.compile(rb"\x00")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
_FRAMES = 12


class BrokenAnswerError(Exception):
    """An answer cannot be finished: its connection is closed, so that nobody takes it for whole."""


class Caps:
    """Guards the application.

    Args:
        app: the application.
        settings: HTTP_*.
        rates: counts requests by address.
    """

    def __init__(self, app: ASGIApp, settings: Settings, rates: Rates) -> None:
        self._app = app
        self._most_body = settings.http_max_body_bytes
        self._rates = rates
        self._hosts = frozenset(name.lower() for name in ("localhost", settings.http_host, *settings.http_hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=uuid.uuid4().hex)
        began = time.monotonic()
        passage = _Passage(receive, send, self._most_body)
        try:
            await self._through(passage, scope)
        except BrokenAnswerError:
            raise  # who broke it off has told why
        except Exception as error:  # noqa: BLE001 - the outermost: whatever it is, the caller gets a problem
            await _told(error, passage, scope)
        finally:
            _count(scope, passage.status, time.monotonic() - began)

    async def _through(self, passage: _Passage, scope: Scope) -> None:
        async with asyncio.timeout(ANSWER_SECONDS) as deadline:
            passage.deadline = deadline
            await self._check(scope)
            await self._app(scope, passage.receive, passage.send)

    async def _check(self, scope: Scope) -> None:
        """Raise why a request is refused by its head alone."""
        headers = Headers(scope=scope)
        _check_target(scope["raw_path"], scope["query_string"])
        if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADER_BYTES:
            raise refused("headers", 431, f"at most {MOST_HEADERS} header lines and {MOST_HEADER_BYTES} bytes of them")
        if scope["path"] not in OPEN_PATHS and not _may_be_called(headers.get("host", ""), self._hosts):
            raise refused("host", 400, "this server has another name")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most_body:
            raise refused("body", 413, f"a body has at most {self._most_body} bytes")
        client = scope.get("client")
        await self._rates.of_peer(client[0] if client else "")


class _Passage:
    """A request's way in and its answer's way out, within bounds.

    Attributes:
        status: of the answer, once it has begun.
        deadline: ends where the answer begins.
    """

    def __init__(self, receive: Receive, send: Send, most_body: int) -> None:
        self._receive = receive
        self._send = send
        self._most_body = most_body
        self._got = 0
        self._whole = False
        self._body_until = asyncio.get_running_loop().time() + BODY_SECONDS
        self.status: int | None = None
        self.deadline: asyncio.Timeout | None = None

    async def receive(self) -> Message:
        """Return what comes next of the request.

        Raises:
            HTTPException: the body is too long, or too slow; FastAPI passes on no other error while it reads one.
        """
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._body_until):
                message = await self._receive()
        except TimeoutError:
            REFUSED.labels("slow_body").inc()
            raise HTTPException(408, f"a body must have come within {BODY_SECONDS:g} s") from None
        self._got += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._got > self._most_body:
            REFUSED.labels("body").inc()
            raise HTTPException(413, f"a body has at most {self._most_body} bytes")
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.deadline is not None:
                self.deadline.reschedule(None)
        await self._send(message)


def refused(reason: str, status: int, detail: str) -> Problem:
    """Count a refusal, and return the problem to raise."""
    REFUSED.labels(reason).inc()
    return Problem(status, detail)


async def _told(error: Exception, passage: _Passage, scope: Scope) -> None:
    """Answer with what is told of an error; one of ours is logged with where it was raised."""
    problem = problem_of(error)
    if problem.status == 500:
        frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-_FRAMES:]]
        logger.error("a request failed", error=type(error).__name__, route=_route(scope), frames=frames)
    if passage.status is not None:
        raise BrokenAnswerError from None
    passage.deadline = None
    await problem.answer()(scope, passage.receive, passage.send)


def _check_target(raw_path: bytes, query: bytes) -> None:
    if len(raw_path) + len(query) > MOST_TARGET_BYTES:
        raise refused("target", 414, f"path and query together have at most {MOST_TARGET_BYTES} bytes")
    if not raw_path.startswith(b"/"):
        raise refused("target", 400, "the target is no path")
    for part, barred in ((raw_path, _CONTROL), (query, _NUL)):
        decoded = unquote_to_bytes(part)
        if barred.search(decoded):
            raise refused("target", 400, "path or query hold a control character")
        try:
            decoded.decode()
        except UnicodeDecodeError:
            raise refused("target", 400, "path or query are not UTF-8") from None


def _may_be_called(host: str, names: frozenset[str]) -> bool:
    """Whether the server has this name. An address is nobody's to give away: only names can be pointed here by others."""
    name = host.lower().rpartition(":")[0] if re.search(r":[0-9]{1,5}$", host) else host.lower()
    if "*" in names or name in names:
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _count(scope: Scope, status: int | None, seconds: float) -> None:
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = _route(scope)
    REQUESTS.labels(method, route, str(status or 0)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "-"))
