"""The composite scores in PostgreSQL, by (tenant_id, call_id): qualities, and the sentiments of the calls that have one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import asyncpg

from voc_stream.clients.postgres import Database
from voc_stream.stages.composite import CallSides, Feeling, Quality, Weight

# Of each side the newest stands, of two that are as new the stored one. Sorted, so that two windows wait for each other instead of dead-locking; by
# call first, as those do who change calls, because a trigger tells the calls.
# A sentiment that comes alone needs a row with a quality, locked first: who forgets a call finds no half of it made again.
# A row that stays as it is comes back, too: whoever repeats itself has perhaps not told ClickHouse. Doubles in, because they cost the worker a tenth.
_MERGE = """
WITH given AS (
SELECT * FROM unnest($1::varchar[], $2::varchar[], $3::double precision[], $4::varchar[], $5::timestamptz[], $6::double precision[], $7::varchar[],
                     $8::timestamptz[], $9::uuid[], $10::text[], $11::double precision[], $12::int[])
         AS given (tenant_id, call_id, quality, model_version, scored_at, sentiment, sentiment_source, heard_at, heard_event, topic, weight,
                   weights_version)
), known AS (
SELECT stored.tenant_id, stored.call_id FROM given JOIN call_composite AS stored USING (tenant_id, call_id)
WHERE given.scored_at IS NULL AND stored.scored_at IS NOT NULL
ORDER BY 2, 1 FOR UPDATE OF stored
), merged AS (
INSERT INTO call_composite AS stored
    (tenant_id, call_id, quality, model_version, scored_at, sentiment, sentiment_source, heard_at, heard_event, topic, weight, weights_version)
SELECT given.* FROM given LEFT JOIN known USING (tenant_id, call_id)
WHERE given.scored_at IS NOT NULL OR known.call_id IS NOT NULL
ORDER BY given.call_id, given.tenant_id
ON CONFLICT (tenant_id, call_id) DO UPDATE SET
    (quality, model_version, scored_at) = (
        SELECT side.quality, side.model_version, side.scored_at
        FROM (VALUES (0, stored.quality, stored.model_version, stored.scored_at),
                     (1, EXCLUDED.quality, EXCLUDED.model_version, EXCLUDED.scored_at)) AS side (given, quality, model_version, scored_at)
        ORDER BY side.scored_at DESC NULLS LAST, side.model_version DESC NULLS LAST, side.given LIMIT 1
    ),
    (sentiment, sentiment_source, heard_at, heard_event, topic) = (
        SELECT side.sentiment, side.source, side.heard_at, side.event, side.topic
        FROM (VALUES (0, stored.sentiment, stored.sentiment_source, stored.heard_at, stored.heard_event, stored.topic),
                     (1, EXCLUDED.sentiment, EXCLUDED.sentiment_source, EXCLUDED.heard_at, EXCLUDED.heard_event, EXCLUDED.topic))
             AS side (given, sentiment, source, heard_at, event, topic)
        ORDER BY side.heard_at DESC NULLS LAST, side.event DESC NULLS LAST, side.given LIMIT 1
    ),
    weight = CASE WHEN EXCLUDED.weights_version > stored.weights_version THEN EXCLUDED.weight ELSE stored.weight END,
    weights_version = greatest(EXCLUDED.weights_version, stored.weights_version)
RETURNING tenant_id, call_id, quality, model_version, scored_at, sentiment, sentiment_source, heard_at, heard_event, topic, weight, weights_version,
          revision
)
SELECT * FROM merged WHERE scored_at IS NOT NULL AND heard_at IS NOT NULL
"""

# A statement of so many takes half a second, well within its time-out.
_MOST_ROWS = 5000

# Not a join: for thousands of calls the planner would read the whole table.
_SCORED = """
SELECT place FROM unnest($1::varchar[], $2::varchar[]) WITH ORDINALITY AS given (tenant_id, call_id, place)
WHERE (SELECT scored_at FROM call_composite AS stored WHERE (stored.tenant_id, stored.call_id) = (given.tenant_id, given.call_id)) IS NOT NULL
"""


class CompositeStore:
    """Where the two sides of a call meet. All methods raise `OutsideError`s only (see `voc_stream.clients.postgres`)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def scored(self, tenant_ids: Sequence[str], call_ids: Sequence[str]) -> list[int]:
        """Return which of these calls have a quality, by their places in the sequences (from 0), in any order."""
        async with self._db.connection() as connection:
            return [
                start + row[0] - 1
                for start in range(0, len(call_ids), _MOST_ROWS)
                for row in await connection.fetch(_SCORED, tenant_ids[start : start + _MOST_ROWS], call_ids[start : start + _MOST_ROWS])
            ]

    async def merge(self, given: Iterable[CallSides]) -> list[CallSides]:
        """Add what is given to what is stored, in one statement (a few for many thousands); a second time it changes nothing.

        A sentiment without a quality is left out where none is stored.

        Returns:
            Those of the calls both of whose sides are known now, as they are stored, in any order.
        """
        calls = merged_by_call(given)
        if not calls:
            return []
        async with self._db.connection() as connection:
            parts = [calls[start : start + _MOST_ROWS] for start in range(0, len(calls), _MOST_ROWS)]
            rows = [row for part in parts for row in await connection.fetch(_MERGE, *_columns(part))]
        return [_sides(row) for row in rows]


def merged_by_call(given: Iterable[CallSides]) -> list[CallSides]:
    """Return what is given, one a call."""
    calls: dict[tuple[str, str], CallSides] = {}
    for sides in given:
        known = calls.get(sides.key)
        calls[sides.key] = sides if known is None else known.merged(sides)
    return list(calls.values())


def _columns(calls: Sequence[CallSides]) -> tuple[list[object], ...]:
    qualities, feelings, weights = [call.quality for call in calls], [call.feeling for call in calls], [call.weight for call in calls]
    return (
        [call.tenant_id for call in calls],
        [call.call_id for call in calls],
        [None if quality is None or quality.score is None else float(quality.score) for quality in qualities],
        [quality and quality.model_version for quality in qualities],
        [quality and quality.scored_at for quality in qualities],
        [feeling and feeling.sentiment for feeling in feelings],
        [feeling and feeling.source for feeling in feelings],
        [feeling and feeling.heard_at for feeling in feelings],
        [feeling and feeling.event_id for feeling in feelings],
        [feeling and feeling.topic for feeling in feelings],
        [float(weight.value) for weight in weights],
        [weight.version for weight in weights],
    )


def _sides(row: asyncpg.Record) -> CallSides:
    return CallSides(
        tenant_id=row["tenant_id"],
        call_id=row["call_id"],
        weight=Weight(row["weight"], row["weights_version"]),
        quality=Quality(row["quality"], row["model_version"], row["scored_at"]),
        feeling=Feeling(row["sentiment"], row["sentiment_source"], row["heard_at"], row["heard_event"], row["topic"]),
        revision=row["revision"],
    )
