"""A ClickHouse whose replies get lost: a proxy that drops the connection in place of an answer to some of the inserts."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

_HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})
_MOST_BYTES = 1 << 30
_TIMEOUT = aiohttp.ClientTimeout(total=60)
# Of the inserts that get no reply, so many never arrived; the others were carried out.
_NEVER_ARRIVED = 0.25
_SESSION = web.AppKey("session", aiohttp.ClientSession)


@dataclass(slots=True)
class FlakyProxy:
    """The proxy and what it did.

    Args:
        behind: port of the server.
        share: of the inserts get no reply.
        seed: of which.
    """

    behind: int
    share: float
    seed: int
    port: int = 0
    inserts: int = 0
    lost: int = 0
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - luck, not secrets

    async def serve(self, ready: threading.Event, ended: asyncio.Event) -> None:
        """Serve on a free port until told."""
        app = web.Application(client_max_size=_MOST_BYTES)
        app.router.add_route("*", "/{path:.*}", self._answer)
        app.cleanup_ctx.append(self._session)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, auto_decompress=False)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        ready.set()
        await ended.wait()
        await runner.cleanup()

    async def _session(self, app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False) as session:
            app[_SESSION] = session
            yield

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        insert = "insert" in request.query.get("query", "").lower() or body[:6].lower() == b"insert"
        self.inserts += insert
        lose = insert and self._chance.random() < self.share
        if lose and self._chance.random() < _NEVER_ARRIVED:
            return self._drop(request)
        answer = await self._forward(request, body)
        if answer is None:
            return self._drop(request, count=False)
        return self._drop(request) if lose else answer

    async def _forward(self, request: web.Request, body: bytes) -> web.Response | None:
        """Have the server answer; None: it did not."""
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        url = f"http://127.0.0.1:{self.behind}{request.raw_path}"
        try:
            async with request.app[_SESSION].request(request.method, url, data=body, headers=headers) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return None
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        return web.Response(status=answer.status, body=text, headers=kept)

    def _drop(self, request: web.Request, *, count: bool = True) -> web.StreamResponse:
        self.lost += count
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


@contextmanager
def flaky(behind: int, share: float, seed: int) -> Iterator[FlakyProxy]:
    """Lend a proxy that loses replies.

    Args:
        behind: port of the server.
        share: of the inserts get no reply.
        seed: of which.
    """
    proxy = FlakyProxy(behind, share, seed)
    with serving(proxy):
        yield proxy


@contextmanager
def serving(proxy: FlakyProxy) -> Iterator[None]:
    """Run a proxy on a thread of its own."""
    ready, loop, ended = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(proxy.serve(ready, ended),), name="flaky-clickhouse", daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()
