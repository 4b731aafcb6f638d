"""An HTTP server in the test's own loop, which answers as the test says and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Scripted:
    """What the server does next: `answer` is the test's to set."""

    def __init__(self) -> None:
        self.answer: Answer = _ok
        self.asked: list[web.Request] = []
        self.url = ""
        self.released = asyncio.Event()

    def says(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer every request so; an underscore in a header's name stands for a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=status, body=body, headers=named)

        self.answer = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return await self.answer(request)


async def _ok(_: web.Request) -> web.Response:
    return web.Response()


@asynccontextmanager
async def scripted_server() -> AsyncIterator[Scripted]:
    """Serve on a free port; stalled answers are released at the end."""
    script = Scripted()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", script.handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    script.url = str(server.make_url("")).rstrip("/")
    try:
        yield script
    finally:
        script.released.set()
        await server.close()
