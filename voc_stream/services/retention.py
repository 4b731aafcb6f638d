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
    """Does the day's work at the first turns of the day that find everything well.

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
        self._expired: date | None = None
        self._compared: date | None = None
        self._differed: set[tuple[str, date]] = set()

    async def turn(self) -> int:
        """Do what is due; return how many events were deleted.

        Raises:
            OutsideError: ClickHouse or PostgreSQL failed; the next turn goes on.
        """
        metrics.TOKEN_WINDOW.set((self._now() - await self._warehouse.tokens_since()).total_seconds())
        today, deleted = self._now().date(), 0
        try:
            if self._expired != today:
                deleted = await self._expire(today)
                self._expired = today
            if self._compared != today and await self._mend(today):
                self._compared = today
        except TransientError as error:
            # Somebody else exchanges sums just now: no fault of ClickHouse's.
            logger.warning("the day's retention waits for the next turn", reason=error.reason)
        return deleted

    async def _expire(self, today: date) -> int:
        async with self._warehouse.patient() as client:
            done = await Forgetting(client, self._db, self._vault, actor="retention").expire(self._retention(), today)
        deleted = sum(gone.events for gone in done.values())
        logger.info("the day's retention is done", events=deleted)
        return deleted

    async def _mend(self, today: date) -> bool:
        """Make anew what the last turn found different, too; return whether all is well then.

        A window that a crash cut off from the sums differs until it is sent again, and is counted twice if its day is made anew before.
        """
        async with self._warehouse.patient() as client:
            sums = VocSums(client)
            differing = await sums.differences([today - timedelta(days=age) for age in range(-1, MENDED_DAYS)])
            found = {(difference.tenant_id, difference.day) for difference in differing}
            lasting, self._differed = found & self._differed, found
            if lasting:
                await sums.rebuild(sorted({day for _, day in lasting}), sorted({tenant_id for tenant_id, _ in lasting}))
        return found == lasting
