"""Who did what, for good: `audit_log` takes rows and gives none back (spec section 5)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from voc_stream.clients.postgres import Connection, Database

_WRITE = """
INSERT INTO audit_log (actor, action, subject, tenant_id, before, after, address)
VALUES ($1, $2, $3, $4, $5::text::jsonb, $6::text::jsonb, $7::text::inet)
"""


async def write_audit(
    db: Database,
    actor: str,
    action: str,
    subject: str,
    *,
    tenant: str | None,
    after: Mapping[str, object] | None,
    address: str | None = None,
) -> None:
    """Write a row in a transaction of its own: of what was read, or of what PostgreSQL does not hold.

    Args:
        db: the pool.
        actor: a person's account, or the part of the application.
        action: a word.
        subject: what it was done to; never personal data in the clear.
        tenant: whose.
        after: what came of it.
        address: the IP address that the order came from.

    Raises:
        OutsideError: PostgreSQL failed.
    """
    async with db.connection() as connection:
        await append(connection, actor, action, subject, tenant=tenant, after=after, address=address)


async def append(
    connection: Connection,
    actor: str,
    action: str,
    subject: str,
    *,
    tenant: str | None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    address: str | None = None,
) -> None:
    """Write a row within the caller's transaction: there is no change without its row, and no row without its change."""
    await connection.execute(_WRITE, actor, action, subject, tenant, _json(before), _json(after), address)


def _json(value: Mapping[str, object] | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
