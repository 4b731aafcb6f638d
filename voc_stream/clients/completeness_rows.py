"""What PostgreSQL knows of the calls of an hour, for the completeness ledger."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from voc_stream.clients.call_changes import write_assets
from voc_stream.clients.call_rows import enriched_call
from voc_stream.clients.postgres import Database
from voc_stream.events.calls import AudioReady, EnrichedCall
from voc_stream.stages.changes import Status
from voc_stream.stages.completeness import Coordinates, Forget, Result, Row, Trace

_COUNT = "SELECT count(*) FROM call WHERE started_at >= $1 AND started_at < $2"
_CALLS = """
SELECT c.call_id, c.tenant_id, c.started_at, c.ended_at, c.status, c.customer_ref, c.updated_at, c.next_attempt_at, a.s3_key, a.size_bytes
FROM call c LEFT JOIN audio_asset a ON a.call_id = c.call_id AND a.status = 'READY'
WHERE c.started_at >= $1 AND c.started_at < $2
"""
_RESULTS = """
SELECT r.call_id, r.model_version, r.scored_at, r.exported_at, r.outcome = 'SCORED' AND r.transcript_key IS NOT NULL AS words
FROM scoring_result r JOIN call c USING (call_id) WHERE c.started_at >= $1 AND c.started_at < $2
"""
_LETTERS = "SELECT DISTINCT call_id, topic FROM dead_letter WHERE call_id = ANY($1::varchar[])"
_LETTER_OFFSETS = """
SELECT "offset", min(tenant_id) AS tenant_id FROM dead_letter
WHERE topic = $1 AND partition = $2 AND "offset" >= $3 AND "offset" < $4 AND written_at >= $5 GROUP BY "offset"
"""
_ENRICHED_FROM = """
SELECT DISTINCT ON (call_id) call_id, partition, "offset" FROM call_event
WHERE call_id = ANY($1::varchar[]) AND stage = 'enrich' AND topic = $2 ORDER BY call_id, id DESC
"""
_FORGETS = "SELECT tenant_id, subject, created_at FROM audit_log WHERE action = 'forget begun' AND created_at >= $1"
_WHOLE = "SELECT * FROM call WHERE call_id = ANY($1::varchar[])"
_VERSIONS = "SELECT call_id, model_version FROM scoring_result WHERE call_id = ANY($1::varchar[]) ORDER BY call_id, scored_at"
_FIRST_POLL = "SELECT min(created_at) FROM ingestion_checkpoint"
_CUSTOMER = "customer "
# After so many the event loop goes on.
_SLICE = 1000


class CompletenessRows:
    """Reads. All methods raise `OutsideError`s only.

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def first_poll(self) -> datetime | None:
        """Return when the recorder was polled for the first time; None before."""
        async with self._db.connection() as connection:
            at: datetime | None = await connection.fetchval(_FIRST_POLL)
        return at

    async def count(self, start: datetime, end: datetime) -> int:
        """Return how many calls started from `start` to before `end`."""
        async with self._db.connection() as connection:
            found: int = await connection.fetchval(_COUNT, start, end)
        return found

    async def traces(self, start: datetime, end: datetime) -> dict[str, Trace]:
        """Return the calls that started from `start` to before `end`, each with its row."""
        async with self._db.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            calls = await connection.fetch(_CALLS, start, end)
            results: defaultdict[str, list[Result]] = defaultdict(list)
            for row in await connection.fetch(_RESULTS, start, end):
                results[row["call_id"]].append(Result(row["model_version"], row["scored_at"], row["exported_at"], row["words"]))
        traces = {}
        for number, row in enumerate(calls):
            traces[row["call_id"]] = _trace(row, tuple(results.get(row["call_id"], ())))
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        return traces

    async def letters(self, call_ids: Collection[str]) -> dict[str, frozenset[str]]:
        """Return by call the topics whose records of it are dead letters, whatever became of these."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        if call_ids:
            async with self._db.connection() as connection:
                for row in await connection.fetch(_LETTERS, list(call_ids)):
                    found[row["call_id"]].add(row["topic"])
        return {call_id: frozenset(topics) for call_id, topics in found.items()}

    async def letter_offsets(self, topic: str, partition: int, first: int, end: int, since: datetime) -> dict[int, str | None]:
        """Return which offsets of a partition became dead letters since then, each with its tenant where that can be read."""
        async with self._db.connection() as connection:
            rows = await connection.fetch(_LETTER_OFFSETS, topic, partition, first, end, since)
        return {row["offset"]: row["tenant_id"] for row in rows}

    async def enriched_from(self, call_ids: Collection[str], topic: str) -> dict[str, Coordinates]:
        """Return where in a topic the records of these calls were, as the timeline tells."""
        if not call_ids:
            return {}
        async with self._db.connection() as connection:
            rows = await connection.fetch(_ENRICHED_FROM, list(call_ids), topic)
        return {row["call_id"]: Coordinates(row["partition"], row["offset"]) for row in rows}

    async def forgets(self, since: datetime) -> list[Forget]:
        """Return what was deleted on purpose since then."""
        async with self._db.connection() as connection:
            rows = await connection.fetch(_FORGETS, since)
        return [_forget(row["tenant_id"] or "", row["subject"], row["created_at"]) for row in rows]

    async def enriched(self, call_ids: Collection[str]) -> dict[str, EnrichedCall]:
        """Return calls as `calls.enriched` carries them."""
        async with self._db.connection() as connection:
            return {row["call_id"]: enriched_call(row) for row in await connection.fetch(_WHOLE, list(call_ids))}

    async def model_versions(self, call_ids: Collection[str]) -> list[tuple[str, str]]:
        """Return the results that there are of these calls: call and model version."""
        async with self._db.connection() as connection:
            return [(row["call_id"], row["model_version"]) for row in await connection.fetch(_VERSIONS, list(call_ids))]

    async def add_assets(self, audio: Sequence[AudioReady]) -> None:
        """Write the rows of recordings that are in S3; the calls' statuses stay as they are."""
        async with self._db.transaction() as connection:
            await write_assets(connection, audio)


def _trace(row: asyncpg.Record, results: tuple[Result, ...]) -> Trace:
    parked = row["next_attempt_at"] is not None
    return Trace(
        call_id=row["call_id"],
        tenant_id=row["tenant_id"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        row=Row(Status(row["status"]), row["customer_ref"], row["updated_at"], parked, row["s3_key"], row["size_bytes"], results),
    )


def _forget(tenant_id: str, subject: str, at: datetime) -> Forget:
    return Forget(tenant_id, subject.removeprefix(_CUSTOMER) if subject.startswith(_CUSTOMER) else None, at)
