"""The composite scores in PostgreSQL: one upsert by (tenant_id, call_id), fed from both sides."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter

import asyncpg

from voc_stream.clients.postgres import Database
from voc_stream.stages.composite import CallSides, Feeling, Quality, Weight

# Of each side the newest stands, of two that are as new the stored one. Sorted, so that two windows wait for each other instead of dead-locking.
# A row that stays as it is comes back, too: whoever repeats itself has perhaps not told ClickHouse.
_MERGE = """
INSERT INTO call_composite AS stored
    (tenant_id, call_id, quality, model_version, scored_at, sentiment, sentiment_source, heard_at, heard_event, weight, weights_version)
SELECT * FROM unnest($1::varchar[], $2::varchar[], $3::numeric[], $4::varchar[], $5::timestamptz[], $6::double precision[], $7::varchar[],
                     $8::timestamptz[], $9::uuid[], $10::numeric[], $11::int[])
ORDER BY 1, 2
ON CONFLICT (tenant_id, call_id) DO UPDATE SET
    (quality, model_version, scored_at) = (
        SELECT side.quality, side.model_version, side.scored_at
        FROM (VALUES (0, stored.quality, stored.model_version, stored.scored_at),
                     (1, EXCLUDED.quality, EXCLUDED.model_version, EXCLUDED.scored_at)) AS side (given, quality, model_version, scored_at)
        ORDER BY side.scored_at DESC NULLS LAST, side.model_version DESC NULLS LAST, side.given LIMIT 1
    ),
    (sentiment, sentiment_source, heard_at, heard_event) = (
        SELECT side.sentiment, side.source, side.heard_at, side.event
        FROM (VALUES (0, stored.sentiment, stored.sentiment_source, stored.heard_at, stored.heard_event),
                     (1, EXCLUDED.sentiment, EXCLUDED.sentiment_source, EXCLUDED.heard_at, EXCLUDED.heard_event))
             AS side (given, sentiment, source, heard_at, event)
        ORDER BY side.heard_at DESC NULLS LAST, side.event DESC NULLS LAST, side.given LIMIT 1
    ),
    weight = CASE WHEN EXCLUDED.weights_version > stored.weights_version THEN EXCLUDED.weight ELSE stored.weight END,
    weights_version = greatest(EXCLUDED.weights_version, stored.weights_version)
RETURNING tenant_id, call_id, quality, model_version, scored_at, sentiment, sentiment_source, heard_at, heard_event, weight, weights_version, revision
"""

_FORGET_UNMET = "DELETE FROM call_composite WHERE scored_at IS NULL AND created_at < $1"


class CompositeStore:
    """Where the two sides of a call meet. All methods raise `OutsideError`s only (see `voc_stream.clients.postgres`)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def merge(self, given: Iterable[CallSides]) -> list[CallSides]:
        """Add what is given to what is stored, in one statement; a second time it changes nothing.

        Returns:
            The calls as they are stored now, one each, in any order.
        """
        calls = merged_by_call(given)
        if not calls:
            return []
        async with self._db.connection() as connection:
            rows = await connection.fetch(_MERGE, *_columns(calls))
        return [_sides(row) for row in rows]

    async def forget_unmet(self, before: datetime) -> int:
        """Remove the sentiments from before a time that never met a score; return how many there were."""
        async with self._db.connection() as connection:
            status: str = await connection.execute(_FORGET_UNMET, before)
        return int(status.rpartition(" ")[2])


def merged_by_call(given: Iterable[CallSides]) -> list[CallSides]:
    """Return what is given, one a call."""
    calls: dict[tuple[str, str], CallSides] = {}
    for sides in given:
        known = calls.get(sides.key)
        calls[sides.key] = sides if known is None else known.merged(sides)
    return list(calls.values())


_SIDES = (
    "tenant_id",
    "call_id",
    "quality.score",
    "quality.model_version",
    "quality.scored_at",
    "feeling.sentiment",
    "feeling.source",
    "feeling.heard_at",
    "feeling.event_id",
    "weight.value",
    "weight.version",
)


def _columns(calls: list[CallSides]) -> list[list[object]]:
    columns = []
    for path in _SIDES:
        side, _, _ = path.partition(".")
        get = attrgetter(path)
        columns.append([None if getattr(call, side) is None else get(call) for call in calls])
    return columns


def _sides(row: asyncpg.Record) -> CallSides:
    scored, heard = row["scored_at"], row["heard_at"]
    return CallSides(
        tenant_id=row["tenant_id"],
        call_id=row["call_id"],
        weight=Weight(row["weight"], row["weights_version"]),
        quality=Quality(row["quality"], row["model_version"], scored) if scored else None,
        feeling=Feeling(row["sentiment"], row["sentiment_source"], heard, row["heard_event"]) if heard else None,
        revision=row["revision"],
    )
