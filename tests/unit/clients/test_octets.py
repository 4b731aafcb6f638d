"""A block of bytes as a request's body."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from voc_stream.clients.octets import Octets

Received = list[tuple[str | None, bytes]]


@pytest.fixture
def received() -> Received:
    return []


@pytest.fixture
async def port(received: Received) -> AsyncIterator[int]:
    async def take(request: web.Request) -> web.Response:
        received.append((request.headers.get("Content-Length"), await request.read()))
        return web.Response()

    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.mark.parametrize("size", [0, 1, 256 << 10, (256 << 10) + 1, 3_000_001])
async def test_it_arrives_whole_with_its_length_and_may_be_sent_again(port: int, received: Received, size: int) -> None:
    block = os.urandom(size)
    body = Octets(block)
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.post(f"http://127.0.0.1:{port}/", data=body) as answer:
                assert answer.status == 200
    assert received == [(str(size), block)] * 2
