"""Who did what, for good: `audit_log` takes rows and gives none back (spec section 5)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from voc_stream.clients.postgres import Database

_WRITE = "INSERT INTO audit_log (actor, action, subject, tenant_id, after) VALUES ($1, $2, $3, $4, $5::text::jsonb)"


async def write_audit(db: Database, actor: str, action: str, subject: str, *, tenant: str | None, after: Mapping[str, object]) -> None:
    """Write a row.

    Args:
        db: the pool.
        actor: a person's account, or the part of the application.
        action: a word.
        subject: what it was done to; never personal data in the clear.
        tenant: whose.
        after: what came of it.

    Raises:
        OutsideError: PostgreSQL failed.
    """
    async with db.connection() as connection:
        await connection.execute(_WRITE, actor, action, subject, tenant, msgspec.json.encode(after).decode())
