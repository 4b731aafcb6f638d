"""What must be kept (legal hold), and what must not be scored, until it is lifted (docs/privacy.md)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from voc_stream.clients.audit_log import append
from voc_stream.clients.postgres import Database

Kind: TypeAlias = Literal["legal_hold", "do_not_score"]
Scope: TypeAlias = Literal["tenant", "customer", "call"]

_HOLDS = """
SELECT reason FROM restriction
WHERE kind = 'legal_hold' AND lifted_at IS NULL AND tenant_id = $1
  AND ($4 OR scope = 'tenant' OR (scope = 'customer' AND subject = ANY($2::varchar[])) OR (scope = 'call' AND subject = ANY($3::varchar[])))
ORDER BY id LIMIT 10
"""
_HELD = "SELECT DISTINCT tenant_id FROM restriction WHERE kind = 'legal_hold' AND lifted_at IS NULL"
_SET = """
INSERT INTO restriction (tenant_id, kind, scope, subject, reason, set_by) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, kind, scope, subject) WHERE lifted_at IS NULL DO UPDATE SET reason = EXCLUDED.reason, set_by = EXCLUDED.set_by
"""
_LIFT = """
WITH lifted AS (
UPDATE restriction SET lifted_at = now(), lifted_by = $5
WHERE tenant_id = $1 AND kind = $2 AND scope = $3 AND subject = $4 AND lifted_at IS NULL RETURNING 1)
SELECT count(*) FROM lifted
"""
_IN_FORCE = """
SELECT tenant_id, kind, scope, subject, reason, set_by, updated_at FROM restriction
WHERE lifted_at IS NULL AND ($1::varchar IS NULL OR tenant_id = $1) ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """Of what: a tenant as a whole (`subject` empty), a customer (pseudonym) or a call (call_id)."""

    tenant_id: str
    scope: Scope
    subject: str


@dataclass(frozen=True, slots=True)
class Restriction:
    """A restriction that is in force."""

    tenant_id: str
    kind: Kind
    scope: Scope
    subject: str
    reason: str
    set_by: str
    updated_at: datetime


class RestrictionStore:
    """Keeps them. Its methods raise `OutsideError`s only.

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def holds(self, tenant: str, *, customers: Collection[str], calls: Collection[str], whole_tenant: bool) -> list[str]:
        """Return why something of a tenant must be kept; with `whole_tenant` anything of it, else what concerns these customers or calls."""
        async with self._db.connection() as connection:
            return [row["reason"] for row in await connection.fetch(_HOLDS, tenant, list(customers), list(calls), whole_tenant)]

    async def held_tenants(self) -> set[str]:
        """Return the tenants of which something must be kept."""
        async with self._db.connection() as connection:
            return {row["tenant_id"] for row in await connection.fetch(_HELD)}

    async def restrict(self, kind: Kind, subject: Subject, reason: str, actor: str) -> None:
        """Put a restriction into force, or give one that is a new reason; with an audit row."""
        async with self._db.transaction() as connection:
            await connection.execute(_SET, subject.tenant_id, kind, subject.scope, subject.subject, reason, actor)
            await append(connection, actor, f"{kind} set", _named(subject), tenant=subject.tenant_id, after={"reason": reason})

    async def lift(self, kind: Kind, subject: Subject, actor: str) -> bool:
        """Lift a restriction, with an audit row; return whether there was one."""
        async with self._db.transaction() as connection:
            lifted: int = await connection.fetchval(_LIFT, subject.tenant_id, kind, subject.scope, subject.subject, actor)
            if lifted:
                await append(connection, actor, f"{kind} lifted", _named(subject), tenant=subject.tenant_id)
        return lifted > 0

    async def in_force(self, tenant: str | None = None) -> list[Restriction]:
        """Return what is in force, of one tenant or of all, oldest first."""
        async with self._db.connection() as connection:
            return [Restriction(**row) for row in await connection.fetch(_IN_FORCE, tenant)]


def _named(subject: Subject) -> str:
    return f"{subject.scope} {subject.subject or subject.tenant_id}"
