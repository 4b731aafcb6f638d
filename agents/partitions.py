"""A worker that finds its topics growing ends: it started before that was written down, or while PostgreSQL could not say so (docs/partitions.md)."""

from __future__ import annotations

import asyncio

from voc_stream.clients.growth_store import GrowthStore
from voc_stream.errors import OutsideError
from voc_stream.kit import App, Kit
from voc_stream.logs import get_logger

logger = get_logger(__name__)

READ_SECONDS = 2.0


class GrowingError(Exception):
    """The partitions of its topics grow: no worker may work meanwhile."""


def attach(app: App, kit: Kit) -> None:
    """Add the worker's loop."""
    store, gate = GrowthStore(kit.db), kit.around.gates["postgres"]

    async def growing() -> bool:
        try:
            found = await store.open()
        except OutsideError as error:
            gate.close(error)
            return False
        if found:
            logger.error("the worker ends", reason=str(found[0]))
            await app.crash(GrowingError(str(found[0])))
        return bool(found)

    @app.task
    async def watch_growth() -> None:
        """Ask PostgreSQL, as long as it answers."""
        while not app.should_stop:
            if gate.is_open and await growing():
                return
            await asyncio.sleep(READ_SECONDS)
