"""aiokafka's consumer, closed while a broker is away, lets the cancellation of its own fetches out, as if its closer were cancelled (ADR 22)."""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import Any

from aiokafka.consumer.fetcher import Fetcher


def close_fetchers_whole() -> None:
    """Let every consumer of this process end its fetches and then go on closing; a worker's SIGTERM would else wait for its thread for ever."""
    close = Fetcher.close
    if hasattr(close, "__wrapped__"):
        return

    @wraps(close)
    async def whole(self: Any) -> None:
        self._fetch_task.cancel()
        # Not awaited: what it failed of is told by the original.
        await asyncio.wait({self._fetch_task})
        fetches = tuple(self._pending_tasks)
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        self._pending_tasks.clear()
        await close(self)

    Fetcher.close = whole
