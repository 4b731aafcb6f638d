"""Alerts in PostgreSQL: an episode and what is to be told of it are written in one transaction (docs/alerts.md)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from voc_stream.clients.alert_outbox import write_outbox
from voc_stream.clients.postgres import Connection, Database
from voc_stream.events.alerts import AlertEvent
from voc_stream.stages.alerts import Episode
from voc_stream.stages.outbox import Channel

# A decision older than this is void: whoever made it slept meanwhile, and another replica leads.
DECISION_SECONDS = 60.0

_EPISODES = """
SELECT DISTINCT ON (tenant_id, rule) alert_id, tenant_id, rule, metric, window_minutes, raised_at, cleared_at
FROM alert WHERE cleared_at IS NULL OR cleared_at > $1
ORDER BY tenant_id, rule, raised_at DESC, id DESC
"""

# What another transaction has open here, it must end: a replica that was stopped in the middle of one would stop all others.
_GUARD = """
SELECT set_config('idle_in_transaction_session_timeout', '10000', true), pg_advisory_xact_lock(hashtextextended($1, 4)),
       clock_timestamp() - $2::timestamptz > $3::interval AS is_void
"""

_RAISE = """
INSERT INTO alert (alert_id, tenant_id, rule, metric, window_minutes, raised_at, raised_value, raised_count)
SELECT $1, $2::varchar, $3::varchar, $4, $5, $6::timestamptz, $7, $8
WHERE NOT EXISTS (SELECT FROM alert WHERE tenant_id = $2 AND rule = $3 AND cleared_at > $6 - $9::interval)
ON CONFLICT (tenant_id, rule) WHERE cleared_at IS NULL DO NOTHING
RETURNING id
"""

_CLEAR = """
UPDATE alert SET cleared_at = $2, cleared_cause = $3, cleared_value = $4, cleared_count = $5
WHERE alert_id = $1 AND cleared_at IS NULL
RETURNING id
"""


class AlertStore:
    """The episodes of all tenants. Methods raise `OutsideError`s (see `voc_stream.clients.postgres`).

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def look(self, cleared_after: datetime) -> tuple[datetime, list[Episode]]:
        """Return the server's time, by which the age of a decision is measured, and the newest episode of each tenant's rule.

        Args:
            cleared_after: episodes that were cleared before are left out; those that are open never.
        """
        async with self._db.connection() as connection:
            now: datetime = await connection.fetchval("SELECT clock_timestamp()")
            return now, [Episode(**row) for row in await connection.fetch(_EPISODES, cleared_after)]

    async def open_episodes(self) -> int:
        """Return how many alerts are raised and not cleared."""
        async with self._db.connection() as connection:
            count: int = await connection.fetchval("SELECT count(*) FROM alert WHERE cleared_at IS NULL")
        return count

    async def write(self, event: AlertEvent, channels: Sequence[Channel], *, asked_at: datetime, cool_down: timedelta = timedelta()) -> bool:
        """Raise or clear an alert, and put what is to be told of it into the outbox; all of it or nothing.

        Args:
            event: what was decided.
            channels: where to tell it.
            asked_at: the server's time that came with the episodes (`look`).
            cool_down: an alert is not raised so soon after the one before was cleared.

        Returns:
            Whether it took effect; False where another replica was faster, or this one slept over its decision.
        """
        async with self._db.transaction() as connection:
            guard = await connection.fetchrow(_GUARD, f"{event.tenant_id} {event.rule}", asked_at, timedelta(seconds=DECISION_SECONDS))
            if guard is None or guard["is_void"] or not await _take_effect(connection, event, cool_down):
                return False
            await write_outbox(connection, event, channels)
        return True


async def _take_effect(connection: Connection, event: AlertEvent, cool_down: timedelta) -> bool:
    row: Any
    if event.state == "raised":
        identity = (event.alert_id, event.tenant_id, event.rule, event.metric, event.window_minutes)
        row = await connection.fetchval(_RAISE, *identity, event.raised_at, event.value, event.count, cool_down)
    else:
        row = await connection.fetchval(_CLEAR, event.alert_id, event.cleared_at, event.cause, event.value, event.count)
    return row is not None
