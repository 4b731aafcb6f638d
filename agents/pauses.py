"""The operator's pauses, followed by each worker (docs/pausing.md)."""

from __future__ import annotations

import asyncio
import socket

from voc_stream.clients.pause_store import PauseStore
from voc_stream.kit import App, Kit
from voc_stream.services.pause_following import READ_SECONDS, PauseFollower


def attach(app: App, kit: Kit) -> None:
    """Add the worker's loop."""
    worker = f"{socket.gethostname()}:{kit.settings.operator_port}"
    follower = PauseFollower(PauseStore(kit.db), kit.pauses, kit.around.gates["postgres"], worker)

    @app.task
    async def follow_pauses() -> None:
        """Follow the orders."""
        while not app.should_stop:
            await follower.turn()
            await asyncio.sleep(READ_SECONDS)
