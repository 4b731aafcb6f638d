"""aiokafka asks for metadata again at once when it cannot have them: while Kafka is down, that is a busy loop of thousands of tries a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

PAUSE_SECONDS = 0.5


def pace_metadata(client: Any, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Let each failed update of a client's metadata be followed by a pause before the next.

    Args:
        client: an AIOKafkaClient; its own back-off stands only between connections, not between refusals.
        sleep: how to wait; replaced in tests.
    """
    update = client._metadata_update  # noqa: SLF001 - every update goes through it, and none of its callers waits

    async def paced(*args: Any) -> bool:
        updated: bool = await update(*args)
        if not updated:
            await sleep(PAUSE_SECONDS)
        return updated

    client._metadata_update = paced  # noqa: SLF001
