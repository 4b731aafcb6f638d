"""The outbox of alerts in PostgreSQL: who takes an entry has it for a while; it counts as sent when it was acknowledged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from voc_stream.clients.postgres import Connection, Database
from voc_stream.events.alerts import AlertEvent
from voc_stream.events.base import derived_id, encode
from voc_stream.stages.outbox import Channel, Entry

# How long an entry is its taker's; longer than one attempt can last.
LEASE = timedelta(seconds=60)
KEEP = timedelta(days=30)

_WRITE = """
INSERT INTO alert_outbox (key, alert_id, tenant_id, state, channel, body, next_attempt_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

# One entry of a tenant at a time, and an episode's end not before its beginning: a receiver that fails holds up itself alone.
_TAKE = """
WITH due AS (
    SELECT DISTINCT ON (tenant_id) id FROM alert_outbox AS entry
    WHERE channel = $1 AND sent_at IS NULL AND next_attempt_at <= $2 AND NOT tenant_id = ANY($5::varchar[])
      AND NOT EXISTS (
          SELECT FROM alert_outbox AS earlier
          WHERE earlier.alert_id = entry.alert_id AND earlier.channel = entry.channel AND earlier.id < entry.id AND earlier.sent_at IS NULL
      )
    ORDER BY tenant_id, id
), mine AS (
    SELECT id FROM alert_outbox
    WHERE id IN (SELECT id FROM due) AND sent_at IS NULL AND next_attempt_at <= $2
    ORDER BY next_attempt_at, id LIMIT $4 FOR UPDATE SKIP LOCKED
)
UPDATE alert_outbox SET attempts = attempts + 1, next_attempt_at = $2 + $3::interval
WHERE id IN (SELECT id FROM mine)
RETURNING key, tenant_id, state, body, attempts
"""

_SENT = "UPDATE alert_outbox SET sent_at = $2, last_error = NULL WHERE key = ANY($1::uuid[]) AND sent_at IS NULL"
_FAILED = "UPDATE alert_outbox SET next_attempt_at = $2, last_error = $3 WHERE key = ANY($1::uuid[]) AND sent_at IS NULL"
_REMOVE = "DELETE FROM alert_outbox WHERE key = $1 AND sent_at IS NULL"
_OLDEST = "SELECT channel, min(created_at) AS oldest FROM alert_outbox WHERE sent_at IS NULL GROUP BY channel"
_FORGET = "DELETE FROM alert_outbox WHERE sent_at < $1"


class AlertOutbox:
    """What is still to be told. Methods raise `OutsideError`s (see `voc_stream.clients.postgres`).

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(self, channel: Channel, limit: int, now: datetime, busy: Collection[str] = ()) -> list[Entry]:
        """Take entries whose time has come: they are ours until the lease ends, whatever becomes of us.

        Args:
            channel: which.
            limit: at most so many; of each tenant at most one.
            now: by which they are due.
            busy: tenants to leave out.
        """
        async with self._db.connection() as connection:
            rows = await connection.fetch(_TAKE, channel, now, LEASE, limit, list(busy))
        return [Entry(row["key"], row["tenant_id"], row["state"], row["body"].encode(), row["attempts"]) for row in rows]

    async def sent(self, keys: Sequence[UUID], now: datetime) -> None:
        """Note that entries were acknowledged."""
        async with self._db.connection() as connection:
            await connection.execute(_SENT, list(keys), now)

    async def failed(self, keys: Sequence[UUID], next_attempt_at: datetime, reason: str) -> None:
        """Note why entries were not acknowledged, and when to try again; one that another replica sent meanwhile stays sent."""
        async with self._db.connection() as connection:
            await connection.execute(_FAILED, list(keys), next_attempt_at, reason)

    async def remove(self, key: UUID) -> None:
        """Remove an entry that has no receiver any more."""
        async with self._db.connection() as connection:
            await connection.execute(_REMOVE, key)

    async def oldest(self) -> dict[Channel, datetime]:
        """Return, by channel, since when its oldest unsent entry waits; a channel without one is left out."""
        async with self._db.connection() as connection:
            return {row["channel"]: row["oldest"] for row in await connection.fetch(_OLDEST)}

    async def forget(self, now: datetime) -> None:
        """Remove what was sent long ago."""
        async with self._db.connection() as connection:
            await connection.execute(_FORGET, now - KEEP)


async def write_outbox(connection: Connection, event: AlertEvent, channels: Sequence[Channel]) -> None:
    """Add an entry for each channel, within the transaction of what is told."""
    body = encode(event).decode()
    await connection.executemany(
        _WRITE, [(_key(event, channel), event.alert_id, event.tenant_id, event.state, channel, body, event.event_ts) for channel in channels]
    )


def _key(event: AlertEvent, channel: Channel) -> UUID:
    return derived_id("alert", str(event.alert_id), event.state, channel)
