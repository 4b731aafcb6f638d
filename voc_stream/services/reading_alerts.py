"""A tenant's alerts, the newest first (docs/alerts.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from voc_stream.clients.postgres import Database
from voc_stream.services.cursors import cursor_of, place_of
from voc_stream.services.reading_answers import AlertShown, AlertsPage

State: TypeAlias = Literal["raised", "cleared"]

MOST = 200

_PAGE = """
SELECT id, alert_id, rule, metric, window_minutes, CASE WHEN cleared_at IS NULL THEN 'raised' ELSE 'cleared' END AS state,
       raised_at, raised_value, raised_count, cleared_at, cleared_cause, cleared_value, cleared_count
FROM alert
WHERE tenant_id = $1 AND ($2::boolean IS NULL OR (cleared_at IS NULL) = $2)
  AND ($3::timestamptz IS NULL OR (raised_at, id) < ($3, $4::bigint))
ORDER BY raised_at DESC, id DESC LIMIT $5
"""


class AlertsReading:
    """Lists alerts. Its methods raise `OutsideError`s.

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(self, tenant_id: str, *, state: State | None = None, limit: int = 50, cursor: str | None = None) -> AlertsPage:
        """Return a page of a tenant's alerts.

        Args:
            tenant_id: whose.
            state: those that are raised, or that were cleared.
            limit: rows of a page, `MOST` at most.
            cursor: of the page before.

        Raises:
            CursorError: `cursor` is of another list.
        """
        limit, question = min(limit, MOST), ("alerts", state)
        at, number = place_of(cursor, question, tuple[datetime, int]) if cursor else (None, None)
        async with self._db.connection() as connection:
            rows = await connection.fetch(_PAGE, tenant_id, None if state is None else state == "raised", at, number, limit + 1)
        shown = rows[:limit]
        place = (shown[-1]["raised_at"], shown[-1]["id"]) if len(rows) > limit else None
        alerts = [AlertShown.model_validate(dict(row)) for row in shown]
        return AlertsPage(alerts=alerts, next=cursor_of(place, question) if place else None)
