"""The completeness ledger in PostgreSQL: what the hours came to when they were last examined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from voc_stream.clients.postgres import Database
from voc_stream.stages.completeness import MEANING, Equation, Hop

# Older hours are in no report.
KEPT = timedelta(days=90)
_AT_ONCE = 1000

_DELETE = "DELETE FROM completeness WHERE hour = $1"
_FORGET = "DELETE FROM completeness WHERE hour < $1"
_FORGET_HOURS = "DELETE FROM completeness_hour WHERE hour < $1"
_HOUR = """
INSERT INTO completeness_hour (hour, checked_at) VALUES ($1, $2) ON CONFLICT (hour) DO UPDATE SET checked_at = EXCLUDED.checked_at
"""
_EQUATION = """
INSERT INTO completeness (hour, tenant_id, hop, expected, found, gaps, checked_at) VALUES ($1, $2, $3, $4, $5::text::jsonb, $6, $7)
"""
_GAP = "INSERT INTO completeness_gap (hour, tenant_id, hop, subject, what, remedy) VALUES ($1, $2, $3, $4, $5, $6)"
_CHECKED = "SELECT hour FROM completeness_hour WHERE hour >= $1"
_EQUATIONS = """
SELECT hour, tenant_id, hop, expected, found::text AS found, gaps, checked_at FROM completeness
WHERE hour >= $1 AND ($2::varchar IS NULL OR tenant_id = $2) AND (gaps > 0 OR NOT $3) ORDER BY hour DESC, tenant_id, hop LIMIT $4
"""
_GAPS = """
SELECT hour, tenant_id, hop, subject, what, remedy FROM completeness_gap
WHERE hour >= $1 AND ($2::varchar IS NULL OR tenant_id = $2) ORDER BY hour DESC, tenant_id, hop, id LIMIT $3
"""
_OPEN = "SELECT hop, sum(gaps)::bigint AS gaps FROM completeness WHERE hour >= $1 GROUP BY hop"


class CompletenessStore:
    """Keeps equations. All methods raise `OutsideError`s only.

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def save(self, hour: datetime, equations: Sequence[Equation], now: datetime) -> None:
        """Hold what an hour came to, in place of what it came to before; hours past their time go."""
        async with self._db.transaction() as connection:
            await connection.execute(_HOUR, hour, now)
            await connection.execute(_FORGET, now - KEPT)
            await connection.execute(_FORGET_HOURS, now - KEPT)
            await connection.execute(_DELETE, hour)
            rows = [(hour, e.tenant_id, e.hop, e.left, msgspec.json.encode(e.terms).decode(), e.gap_count, now) for e in equations]
            gaps = [(hour, e.tenant_id, e.hop, gap.subject, gap.what, gap.remedy) for e in equations for gap in e.gaps]
            for statement, values in ((_EQUATION, rows), (_GAP, gaps)):
                for at in range(0, len(values), _AT_ONCE):
                    await connection.executemany(statement, values[at : at + _AT_ONCE])

    async def checked(self, since: datetime) -> set[datetime]:
        """Return the hours from then on that were examined."""
        async with self._db.connection() as connection:
            return {row["hour"] for row in await connection.fetch(_CHECKED, since)}

    async def open_gaps(self, since: datetime) -> dict[Hop, int]:
        """Return how many gaps the hours from then on have, by hop, zeros included."""
        async with self._db.connection() as connection:
            rows = await connection.fetch(_OPEN, since)
        return dict.fromkeys(Hop, 0) | {Hop(row["hop"]): row["gaps"] for row in rows}

    async def report(self, since: datetime, *, tenant_id: str | None, only_gaps: bool, limit: int) -> dict[str, Any]:
        """Return the hours from then on as JSON shows them, newest first.

        Args:
            since: of which hours.
            tenant_id: one tenant only.
            only_gaps: leave out what adds up.
            limit: so many equations, and so many gaps by name, at most; `complete` tells whether that was all.
        """
        async with self._db.connection() as connection:
            rows = await connection.fetch(_EQUATIONS, since, tenant_id, only_gaps, limit + 1)
            gaps = await connection.fetch(_GAPS, since, tenant_id, limit + 1)
        named: defaultdict[tuple[datetime, str, str], list[dict[str, Any]]] = defaultdict(list)
        for gap in gaps[:limit]:
            named[gap["hour"], gap["tenant_id"], gap["hop"]].append({"subject": gap["subject"], "what": gap["what"], "remedy": gap["remedy"]})
        equations = [
            {
                "hour": row["hour"].isoformat(),
                "tenant_id": row["tenant_id"],
                "hop": row["hop"],
                "meaning": MEANING[Hop(row["hop"])],
                "expected": row["expected"],
                "found": msgspec.json.decode(row["found"]),
                "gaps": row["gaps"],
                "named": named[row["hour"], row["tenant_id"], row["hop"]],
                "checked_at": row["checked_at"].isoformat(),
            }
            for row in rows[:limit]
        ]
        return {"equations": equations, "complete": len(rows) <= limit and len(gaps) <= limit}
