"""The recorder's HTTP side: `/searchapi` as the real one has it, `/control` for those who test against it."""

import asyncio
import base64
import hmac
from datetime import datetime

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import SecretStr

from voc_stream.devstack.recorder.answers import BROKEN_XML, DTD_BOMB, Layout
from voc_stream.devstack.recorder.control import Control
from voc_stream.devstack.recorder.core import Recorder
from voc_stream.devstack.recorder.faults import Command, Fault, FaultKind
from voc_stream.devstack.recorder.replay import replay

CONTROL = web.AppKey("control", Control)
"""Where the application keeps the control API, for plans to be started by."""

_PATH = "/searchapi"
_BETWEEN = "9"
_CLIENT_GONE = 499  # as nginx counts those who hang up before the answer is out
_COMMANDS = ("search", "replay", "delete")
_LAYOUTS: tuple[Layout, ...] = ("segment", "contact")


def create_app(recorder: Recorder, *, username: str, password: SecretStr, layout: Layout = "segment") -> web.Application:
    """The web application.

    Args:
        recorder: what it serves. It is closed with the application.
        username: for basic auth, asked of every request but `/healthz`.
        password: likewise.
        layout: of searches that ask for none.
    """
    control = Control(recorder)
    app = web.Application(middlewares=[_counted(recorder), _authenticated(username, password)])
    app.router.add_get(_PATH, SearchApi(recorder, layout).handle)
    app.router.add_get("/healthz", _healthz)
    app.add_routes(control.routes())
    app[CONTROL] = control

    async def _close(_: web.Application) -> None:
        await control.close()

    app.on_cleanup.append(_close)
    return app


async def _healthz(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def _counted(recorder: Recorder) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != _PATH:
            return await handler(request)
        command = request.query.get("command", "")
        status = _CLIENT_GONE
        try:
            response = await handler(request)
            status = response.status
        finally:
            recorder.requests[command if command in _COMMANDS else "unknown", status] += 1
        return response

    return middleware


def _authenticated(username: str, password: SecretStr) -> Middleware:
    expected = b"Basic " + base64.b64encode(f"{username}:{password.get_secret_value()}".encode())

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if request.path != "/healthz" and not hmac.compare_digest(given, expected):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="recorder"'}, text="who are you?")
        return await handler(request)

    return middleware


class SearchApi:
    """The commands of the real recorder."""

    def __init__(self, recorder: Recorder, layout: Layout) -> None:
        self._recorder = recorder
        self._layout = layout

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Obey `command=`."""
        match request.query.get("command"):
            case "search":
                return await self._failing("search", None) or self._search(request)
            case "replay":
                return await self._failing("replay", request.query.get("id")) or await replay(request, self._recorder)
            case "delete":
                return self._delete(request)
            case _:
                return web.Response(status=400, text="unknown command")

    async def _failing(self, command: Command, inum: str | None) -> web.Response | None:
        """Wait, if there is latency; an answer, if there is an error."""
        latency = self._take("latency", command, inum)
        if latency is not None:
            await asyncio.sleep(latency.seconds or 0.0)
        error = self._take("error", command, inum)
        if error is None:
            return None
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return web.Response(status=error.status, headers=headers, text="the recorder is not well")

    def _search(self, request: web.Request) -> web.Response:
        if self._take("broken_xml", "search", None):
            return web.Response(body=BROKEN_XML, content_type="text/xml", charset="utf-8")
        if self._take("dtd_bomb", "search", None):
            return web.Response(body=DTD_BOMB, content_type="text/xml", charset="utf-8")
        layout = request.query.get("layout", self._layout)
        if layout not in _LAYOUTS:
            return web.Response(status=400, text="unknown layout")
        try:
            first, last = _window(request)
        except (KeyError, ValueError):
            return web.Response(status=400, text="needs operator_startedat=9 and param1_startedat (dd/mm/yy) to param4_startedat (HH:MM:SS)")
        response = web.Response(body=self._recorder.search(first, last, layout), content_type="text/xml", charset="utf-8")
        if self._take("chunked", "search", None):
            response.enable_chunked_encoding()
        return response

    def _delete(self, request: web.Request) -> web.Response:
        """Destructive, as on the real recorder: the recording and its record are gone."""
        call = self._recorder.calls.get(request.query.get("id", ""))
        if call is None or call.deleted:
            return web.Response(status=404, text="no such recording")
        call.deleted = True
        return web.Response(text=f'<deleted inum="{call.inum}"/>', content_type="text/xml")

    def _take(self, kind: FaultKind, command: Command, inum: str | None) -> Fault | None:
        return self._recorder.faults.take(kind, command, now=self._recorder.now(), inum=inum)


def _window(request: web.Request) -> tuple[datetime, datetime]:
    if request.query.get("operator_startedat") != _BETWEEN:
        raise ValueError
    day1, time1, day2, time2 = (request.query[f"param{n}_startedat"] for n in range(1, 5))
    return _wall_time(day1, time1), _wall_time(day2, time2)


def _wall_time(day: str, time: str) -> datetime:
    return datetime.strptime(f"{day} {time}", "%d/%m/%y %H:%M:%S")  # noqa: DTZ007 (the wall clock of the recorder, which has no zone on it)
