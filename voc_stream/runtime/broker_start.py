"""A Kafka client that is started while no broker answers: it waits for one, where aiokafka gives up and Faust ends the worker (docs/adr/0022)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import KafkaError

from voc_stream.logs import get_logger

logger = get_logger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
# How soon a stop is noticed while a broker that accepts connections says nothing.
STOP_SECONDS = 0.5


def wait_for_broker(client: Any, stopping: Callable[[], bool], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Let the start of a client last until a broker answers.

    Args:
        client: an AIOKafkaClient; its start is its method `bootstrap`.
        stopping: whether the worker is to end; then the start ends as if it were cancelled.
        sleep: how to wait; replaced in tests.
    """
    bootstrap = client.bootstrap

    async def patient() -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                return await _unless(stopping, bootstrap())
            except (KafkaError, OSError, TimeoutError) as error:
                logger.info("no Kafka broker answers yet", reason=type(error).__name__)
            await _unless(stopping, sleep(pause))
            pause = min(2 * pause, LONGEST_PAUSE)

    client.bootstrap = patient


async def _unless(stopping: Callable[[], bool], awaited: Awaitable[None]) -> None:
    """Wait for something, but not while the worker is to end."""
    task = asyncio.ensure_future(awaited)
    try:
        while not task.done():
            if stopping():
                raise asyncio.CancelledError
            await asyncio.wait({task}, timeout=STOP_SECONDS)
        await task
    finally:
        task.cancel()
