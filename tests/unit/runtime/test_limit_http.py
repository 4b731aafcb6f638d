"""A limit in front of a recorder that refuses whoever comes too many: over HTTP, with the client that the worker uses."""

from __future__ import annotations

import asyncio

from aiohttp import web

from tests.unit.clients.http_server import scripted_server
from voc_stream.clients.recorder import RecorderClient
from voc_stream.errors import UnavailableError
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.limit import Limit
from voc_stream.settings import Settings

MOST = 5
RECORDINGS = 600
WORKERS = 64


async def test_a_recorder_that_serves_five_at_once_is_soon_asked_for_no_more_and_everything_arrives() -> None:
    level = 0
    statuses: list[int] = []

    async def answer(_: web.Request) -> web.Response:
        nonlocal level
        level += 1
        try:
            status = 200 if level <= MOST else 503
            await asyncio.sleep(0.002)
        finally:
            level -= 1
        statuses.append(status)
        return web.Response(status=status, body=b"RIFF", content_type="audio/wav")

    async with scripted_server() as server:
        server.answer = answer
        recorder = RecorderClient(Settings(_env_file=None, avaya_url=f"{server.url}/searchapi"))
        await recorder.open()
        limit = Limit("download", Gate("recorder", recorder.probe), floor=1, ceiling=32)
        waiting = [str(number) for number in range(RECORDINGS)]
        arrived: set[str] = set()

        async def work() -> None:
            while waiting:
                inum = waiting.pop()
                try:
                    async with limit.place() as place, recorder.replay(inum) as recording:
                        async for _ in recording.chunks():
                            place.answered()
                    arrived.add(inum)
                except UnavailableError:
                    waiting.append(inum)

        await asyncio.gather(*(work() for _ in range(WORKERS)))
        await recorder.close()

    late = statuses[len(statuses) // 2 :]
    assert len(arrived) == RECORDINGS
    assert late.count(503) < len(late) / 10
