"""Once a day: what is past its retention goes, and views that differ from the events are mended (docs/voc-storage.md)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.postgres import Database
from voc_stream.clients.voc_sums import VocSums
from voc_stream.errors import TransientError
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.security.vault import Vault
from voc_stream.services.forgetting import Forgetting
from voc_stream.stages.tenants import Retention

logger = get_logger(__name__)

# Kafka keeps records for 7 days: windows that are sent again touch no older ones as a rule.
MENDED_DAYS = 8


def _now() -> datetime:
    return datetime.now(UTC)


class DailyRetention:
    """Does the day's work at the first turn of the day that finds everything well.

    Args:
        warehouse: ClickHouse.
        db: PostgreSQL's pool.
        vault: gives pseudonyms.
        retention: how long tenants keep their events, as it is now.
        now: the time, aware.
    """

    def __init__(
        self, warehouse: Warehouse, db: Database, vault: Vault, retention: Callable[[], Retention], now: Callable[[], datetime] = _now
    ) -> None:
        self._warehouse = warehouse
        self._db = db
        self._vault = vault
        self._retention = retention
        self._now = now
        self._done: date | None = None

    async def turn(self) -> int:
        """Do what is due; return how many events were deleted.

        Raises:
            OutsideError: ClickHouse or PostgreSQL failed; the next turn goes on.
        """
        metrics.TOKEN_WINDOW.set((self._now() - await self._warehouse.tokens_since()).total_seconds())
        today = self._now().date()
        if self._done == today:
            return 0
        try:
            deleted = await self._work(today)
        except TransientError as error:
            # Somebody else exchanges sums just now: no fault of ClickHouse's.
            logger.warning("the day's retention waits for the next turn", reason=error.reason)
            return 0
        self._done = today
        return deleted

    async def _work(self, today: date) -> int:
        async with self._warehouse.patient() as client:
            done = await Forgetting(client, self._db, self._vault, actor="retention").expire(self._retention(), today)
            mended = await VocSums(client).mend([today - timedelta(days=age) for age in range(-1, MENDED_DAYS)])
        deleted = sum(gone.events for gone in done.values())
        logger.info("the day's retention is done", events=deleted, mended_days=len(mended))
        return deleted
