"""A worker that finds its topics growing ends: it started before that was written down, or while PostgreSQL could not say so (docs/partitions.md)."""

from __future__ import annotations

import asyncio

from voc_stream.clients.growth_store import GrowthStore
from voc_stream.kit import App, Kit
from voc_stream.logs import get_logger
from voc_stream.services.growth_watch import growing

logger = get_logger(__name__)

READ_SECONDS = 2.0


def attach(app: App, kit: Kit) -> None:
    """Add the worker's loop."""
    store, gate = GrowthStore(kit.db), kit.around.gates["postgres"]

    @app.task
    async def watch_growth() -> None:
        """Ask PostgreSQL, as long as it answers."""
        while not app.should_stop:
            if (found := await growing(store, gate)) is not None:
                logger.error("the worker ends", reason=str(found))
                await app.crash(found)
                return
            await asyncio.sleep(READ_SECONDS)
