"""Who was forgotten, as those need it who must not bring them back: written by `forget`, read by every worker (docs/adr/0026-privacy.md)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from voc_stream.clients.postgres import Database

_NEWS = "SELECT tenant_id, scope, subject, until, updated_at FROM forgotten WHERE updated_at >= $1 ORDER BY updated_at"
_WRITE = """
INSERT INTO forgotten (tenant_id, scope, subject, until, customer)
SELECT $1, $2, subject, now(), $4 FROM unnest($3::varchar[]) AS subject ORDER BY subject
ON CONFLICT (tenant_id, scope, subject) DO UPDATE SET until = EXCLUDED.until, customer = EXCLUDED.customer
"""
_WRITE_AGAIN = """
INSERT INTO forgotten AS known (tenant_id, scope, subject, until, customer)
SELECT $1, $2, subject, $5, $4 FROM unnest($3::varchar[]) AS subject ORDER BY subject
ON CONFLICT (tenant_id, scope, subject) DO UPDATE SET until = greatest(known.until, EXCLUDED.until), customer = EXCLUDED.customer
"""
_CALLS = "SELECT subject FROM forgotten WHERE tenant_id = $1 AND scope = 'call' AND customer = ANY($2::varchar[])"
# Whoever writes calls now, and may not have seen what was just written, is waited for.
_WAIT = "LOCK TABLE call IN SHARE MODE"
# Transactions are not seen in the order in which they began.
_OVERLAP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ForgottenSubject:
    """Of a tenant: itself (`tenant`, subject empty), a customer (pseudonym) or a call; whatever happened up to `until`."""

    tenant_id: str
    scope: str
    subject: str
    until: datetime


class ForgottenStore:
    """Reads and writes. Its methods raise `OutsideError`s only.

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._since: datetime | None = None

    async def news(self) -> list[ForgottenSubject]:
        """Return who was forgotten since this was asked last, and some of those before; everybody at first."""
        async with self._db.connection() as connection:
            since = self._since or datetime.fromisoformat("1970-01-01T00:00:00+00:00")
            rows = await connection.fetch(_NEWS, since)
        if rows:
            self._since = rows[-1]["updated_at"] - _OVERLAP
        return [ForgottenSubject(row["tenant_id"], row["scope"], row["subject"], row["until"]) for row in rows]

    async def calls_of(self, tenant: str, customers: Collection[str]) -> set[str]:
        """Return the calls that were forgotten with these customers: their rows may be gone, and other traces of them not yet."""
        async with self._db.connection() as connection:
            return {row["subject"] for row in await connection.fetch(_CALLS, tenant, list(customers))}

    async def write(self, tenant: str, customer: str | None, calls: Collection[str]) -> None:
        """Write down who is forgotten, for ever, and wait until nobody writes calls who has not seen it.

        Args:
            tenant: whose, or who.
            customer: pseudonym; None: the tenant as a whole.
            calls: the customer's, as far as they are known.
        """
        async with self._db.transaction() as connection:
            if customer is None:
                await connection.execute(_WRITE, tenant, "tenant", [""], "")
            else:
                await connection.execute(_WRITE, tenant, "customer", [customer], customer)
                await connection.execute(_WRITE, tenant, "call", sorted(calls), customer)
        async with self._db.transaction() as connection:
            await connection.execute(_WAIT)

    async def write_again(self, tenant: str, customer: str | None, calls: Collection[str], until: datetime) -> None:
        """Write down who was forgotten at an earlier time, in a database that was restored as it was before; no worker runs."""
        async with self._db.transaction() as connection:
            if customer is None:
                await connection.execute(_WRITE_AGAIN, tenant, "tenant", [""], "", until)
            else:
                await connection.execute(_WRITE_AGAIN, tenant, "customer", [customer], customer, until)
                await connection.execute(_WRITE_AGAIN, tenant, "call", sorted(calls), customer, until)
