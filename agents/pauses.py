"""The operator's pauses, read every few seconds by each worker; what stages decided by themselves goes to the audit log (docs/pausing.md)."""

from __future__ import annotations

import asyncio
import socket

from voc_stream.clients.pause_store import PauseStore
from voc_stream.errors import OutsideError, RejectedError
from voc_stream.kit import App, Kit
from voc_stream.logs import get_logger

logger = get_logger(__name__)

READ_SECONDS = 2.0


def attach(app: App, kit: Kit) -> None:
    """Add the worker's loop. A worker that cannot read keeps what it knew."""
    store, pauses, gate = PauseStore(kit.db), kit.pauses, kit.around.gates["postgres"]
    worker = f"{socket.gethostname()}:{kit.settings.http_port}"

    async def write_news() -> None:
        news = pauses.news()
        while news:
            each = news[0]
            await store.tell_audit(each.action, each.stage, each.reason, worker)
            if news and news[0] is each:
                news.popleft()

    async def turn() -> None:
        try:
            pauses.tell(await store.read())
            await write_news()
        except RejectedError as error:
            logger.error("the audit log takes no self-pauses", reason=error.reason)
        except OutsideError as error:
            gate.close(error)

    @app.task
    async def follow_pauses() -> None:
        """Follow the orders."""
        while not app.should_stop:
            if gate.is_open:
                await turn()
            pauses.tell_nothing()
            await asyncio.sleep(READ_SECONDS)
