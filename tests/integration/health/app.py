"""A worker for tests, of one stage on a topic of one partition; pages under /cause make it ill.

What the stage does the record says: `hang` is worked on for ever.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import uvloop
from aiohttp import web
from aiokafka.errors import GroupAuthorizationFailedError

from agents import people_side, watch
from voc_stream import factory
from voc_stream.kit import App, Kit
from voc_stream.runtime.stage import Delivery, Stage, by_policy
from voc_stream.settings import load_settings
from voc_stream.stages.outcome import Drop, Outcome
from voc_stream.stages.retry import RetryPolicy


async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
    for delivery in deliveries:
        if delivery.event == b"hang":
            await asyncio.Event().wait()
    return [Drop("seen") for _ in deliveries]


def attach(app: App, kit: Kit) -> None:
    """Add the stage and the pages."""
    kit.pauses.tell_nothing()
    stage = Stage("look", lambda value: value, work, by_policy(RetryPolicy(attempts=1)), (), in_flight=8)  # type: ignore[arg-type] # bytes will do
    runner = kit.runner(stage)

    @app.agent(kit.source(os.environ["HEALTH_TOPIC"]))
    async def look(stream: Any) -> None:
        await runner.run(stream.noack().events())

    async def hang(_: web.Request) -> web.Response:
        while True:
            time.sleep(1)  # noqa: ASYNC251 - that is the fault

    async def group(_: web.Request) -> web.Response:
        consumer = app.consumer._thread._consumer

        async def refused() -> bool:
            raise GroupAuthorizationFailedError

        consumer._coordinator._do_heartbeat = refused
        return web.Response()

    for cause in (hang, group):
        app.pages["POST", f"/cause/{cause.__name__}"] = cause


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    factory.AGENTS = (SimpleNamespace(attach=attach), watch, people_side)  # type: ignore[assignment] # the pipelines are not these tests'
    factory.create_app(load_settings()).main()
