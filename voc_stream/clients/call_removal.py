"""What PostgreSQL knows of a customer's calls, for those who delete: their ids, and their composite scores."""

from __future__ import annotations

from collections.abc import Collection

from voc_stream.clients.postgres import Database

_CALLS = "SELECT call_id FROM call WHERE tenant_id = $1 AND customer_ref = ANY($2::varchar[])"
_DELETE = """
WITH gone AS (DELETE FROM call_composite WHERE tenant_id = $1 AND ($2::varchar[] IS NULL OR call_id = ANY($2)) RETURNING 1)
SELECT count(*) FROM gone
"""


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
