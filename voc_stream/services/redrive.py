"""Publishes again what was put aside: parked recordings, failed calls with attempts left, calls that had no tenant (spec section 2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from voc_stream.clients.call_store import CallStore
from voc_stream.events.base import encode
from voc_stream.events.calls import EnrichedCall
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.stage import Publishes
from voc_stream.services.tenants_file import TenantsFile

logger = get_logger(__name__)

AT_ONCE = 100


class Redriver:
    """Lends due calls from PostgreSQL, publishes them and waits for the acknowledgement before they count as published."""

    def __init__(
        self,
        *,
        store: CallStore,
        publisher: Publishes,
        tenants: TenantsFile,
        topic: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._tenants = tenants
        self._topic = topic
        self._now = now

    async def turn(self) -> int:
        """Publish what is due, up to a bound; returns how many calls.

        Raises:
            OutsideError: Kafka or PostgreSQL failed; nothing counts as published.
        """
        async with self._store.due(AT_ONCE, self._now()) as due:
            await self._publish(due)
        async with self._store.unassigned(AT_ONCE, self._tenants.current().tenant_of) as mapped:
            await self._publish(mapped)
        published = len(due) + len(mapped)
        if published:
            metrics.REDRIVEN.inc(published)
            logger.info("calls published again", due=len(due), newly_mapped=len(mapped))
        return published

    async def _publish(self, calls: list[EnrichedCall]) -> None:
        await self._publisher.publish([Outgoing(self._topic, call.call_id.encode(), encode(call)) for call in calls])
