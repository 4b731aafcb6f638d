"""A worker follows the operator's pauses, and tells the audit log of its own (docs/pausing.md)."""

from __future__ import annotations

from voc_stream.clients.pause_store import PauseStore
from voc_stream.errors import OutsideError, RejectedError
from voc_stream.logs import get_logger
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.pauses import Pauses

logger = get_logger(__name__)

# From one reading of the orders to the next.
READ_SECONDS = 2.0


class PauseFollower:
    """Reads the orders and writes what stages decided by themselves. Where it cannot read, the worker keeps what it knew.

    Args:
        store: the orders.
        pauses: what stands still in this worker.
        gate: PostgreSQL's; closed when it does not answer.
        worker: this worker's name, for the audit log.
    """

    def __init__(self, store: PauseStore, pauses: Pauses, gate: Gate, worker: str) -> None:
        self._store = store
        self._pauses = pauses
        self._gate = gate
        self._worker = worker

    async def turn(self) -> None:
        """Follow what was ordered since the last turn; without PostgreSQL let those go on who wait for the first word."""
        if self._gate.is_open:
            await self._exchange()
        self._pauses.tell_nothing()

    async def _exchange(self) -> None:
        try:
            self._pauses.tell(await self._store.read())
            await self._write_news()
        except RejectedError as error:
            logger.error("the audit log takes no self-pauses", reason=error.reason)
        except OutsideError as error:
            self._gate.close(error)

    async def _write_news(self) -> None:
        news = self._pauses.news()
        while news:
            each = news[0]
            await self._store.tell_audit(each.action, each.stage, each.reason, self._worker)
            if news and news[0] is each:
                news.popleft()
