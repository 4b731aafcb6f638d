"""What PostgreSQL knows of a customer's calls, for those who delete: their ids, objects, rows and keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from datetime import datetime

from voc_stream.clients.customer_keys import destroy_keys
from voc_stream.clients.postgres import Database

_CALLS = "SELECT call_id FROM call WHERE tenant_id = $1 AND customer_ref = ANY($2::varchar[])"
_DELETE = """
WITH gone AS (DELETE FROM call_composite WHERE tenant_id = $1 AND ($2::varchar[] IS NULL OR call_id = ANY($2)) RETURNING 1)
SELECT count(*) FROM gone
"""

_KNOWN = """
SELECT call_id, started_at FROM call WHERE tenant_id = $1 AND ($2::varchar[] IS NULL OR call_id = ANY($2)) AND call_id > $3
ORDER BY call_id LIMIT $4
"""
_OBJECTS = """
SELECT s3_key FROM audio_asset WHERE call_id = ANY($1::varchar[]) AND s3_key IS NOT NULL
UNION SELECT transcript_key FROM scoring_result WHERE call_id = ANY($1::varchar[]) AND transcript_key IS NOT NULL
"""
_DELETE_CALLS = """
WITH told AS (DELETE FROM call_event WHERE call_id = ANY($2::varchar[])),
gone AS (DELETE FROM call WHERE tenant_id = $1 AND call_id = ANY($2::varchar[]) RETURNING 1)
SELECT count(*) FROM gone
"""
_AT_ONCE = 1000


class CallRemoval:
    """Deletes. Its methods raise `OutsideError`s; each can be repeated.

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def calls_of(self, tenant: str, references: Collection[str]) -> set[str]:
        """Return the ids of a tenant's calls whose other party has one of these pseudonyms."""
        async with self._db.connection() as connection:
            return {row["call_id"] for row in await connection.fetch(_CALLS, tenant, list(references))}

    async def delete_composites(self, tenant: str, calls: Collection[str] | None) -> int:
        """Delete the composite scores of these calls, or (None) of all of a tenant's; return how many."""
        async with self._db.connection() as connection:
            count: int = await connection.fetchval(_DELETE, tenant, None if calls is None else list(calls))
            return count

    async def pages(self, tenant: str, calls: Collection[str] | None) -> AsyncIterator[dict[str, datetime]]:
        """Yield those of these calls that are known, or (None) all of a tenant's: call_id → start. They may be deleted meanwhile."""
        after, wanted = "", None if calls is None else list(calls)
        while True:
            async with self._db.connection() as connection:
                rows = await connection.fetch(_KNOWN, tenant, wanted, after, _AT_ONCE)
            if not rows:
                return
            after = rows[-1]["call_id"]
            yield {row["call_id"]: row["started_at"] for row in rows}

    async def objects_of(self, calls: Collection[str]) -> set[str]:
        """Return the S3 keys of these calls' recordings and transcripts."""
        async with self._db.connection() as connection:
            return {row["s3_key"] for row in await connection.fetch(_OBJECTS, list(calls))}

    async def delete_calls(self, tenant: str, calls: Collection[str]) -> int:
        """Delete these calls of a tenant, with whatever hangs on them and their timelines; return how many."""
        async with self._db.connection() as connection:
            count: int = await connection.fetchval(_DELETE_CALLS, tenant, list(calls))
            return count

    async def destroy_keys(self, tenant: str, owners: Collection[str] | None, until: datetime | None = None) -> int:
        """Destroy the data keys of these owners, or (None) of all of a tenant's; with `until` those made up to then. Return how many."""
        async with self._db.transaction() as connection:
            return await destroy_keys(connection, tenant, owners, until)
