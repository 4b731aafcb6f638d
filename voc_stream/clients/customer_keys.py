"""Customers' data keys in PostgreSQL: made at the first need, found by owner or by id, and destroyed (docs/adr/0026-privacy.md)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from voc_stream.clients.postgres import Connection
from voc_stream.security.data_key import DataKey
from voc_stream.security.vault import Vault

Owner = tuple[str, str]
"""Tenant, and pseudonym of the customer or `call:` and a call_id."""

_LIVE = """
SELECT key_id, tenant_id, owner, wrapped FROM customer_key
WHERE wrapped IS NOT NULL AND (tenant_id, owner) IN (SELECT * FROM unnest($1::varchar[], $2::varchar[]))
"""
# In order, so that two transactions wait for each other instead of dead-locking.
_MAKE = """
INSERT INTO customer_key (key_id, tenant_id, owner, kek_id, wrapped)
SELECT * FROM unnest($1::uuid[], $2::varchar[], $3::varchar[], $4::varchar[], $5::text[])
ON CONFLICT (tenant_id, owner) WHERE wrapped IS NOT NULL DO NOTHING
"""
_BY_ID = "SELECT key_id, tenant_id, owner, wrapped FROM customer_key WHERE wrapped IS NOT NULL AND key_id = ANY($1::uuid[])"
_DESTROY = """
WITH gone AS (
UPDATE customer_key SET wrapped = NULL, kek_id = NULL, destroyed_at = now()
WHERE wrapped IS NOT NULL AND tenant_id = $1 AND ($2::varchar[] IS NULL OR owner = ANY($2))
  AND ($3::timestamptz IS NULL OR created_at <= $3) RETURNING 1)
SELECT count(*) FROM gone
"""


async def keys_of(connection: Connection, vault: Vault, owners: Collection[Owner]) -> dict[Owner, DataKey]:
    """Return each owner's key, made where there is none.

    Args:
        connection: in the transaction that stores what they seal.
        vault: wraps them.
        owners: any number, doubles are fine.

    Raises:
        NoKeyError: there is no key to wrap with.
        OutsideError: PostgreSQL failed.
    """
    wanted = sorted(set(owners))
    found = await _live(connection, vault, wanted)
    absent = [owner for owner in wanted if owner not in found]
    if absent:
        made = [DataKey.new(*owner) for owner in absent]
        kek_id = vault.current_key_id
        wrapped = [key.wrapped(vault) for key in made]
        await connection.execute(
            _MAKE, [key.key_id for key in made], [key.tenant_id for key in made], [key.owner for key in made], [kek_id] * len(made), wrapped
        )
        # Another worker may have been first.
        found |= await _live(connection, vault, absent)
    return found


async def keys_by_id(connection: Connection, vault: Vault, key_ids: Collection[str]) -> dict[str, DataKey]:
    """Return those of the keys that are not destroyed.

    Raises:
        NoKeyError: the key that wraps one is not among ours.
        SealError: a wrapped one was altered.
        OutsideError: PostgreSQL failed.
    """
    if not key_ids:
        return {}
    rows = await connection.fetch(_BY_ID, sorted(set(key_ids)))
    return {str(row["key_id"]): DataKey.unwrap(vault, str(row["key_id"]), row["tenant_id"], row["owner"], row["wrapped"]) for row in rows}


async def destroy_keys(connection: Connection, tenant: str, owners: Collection[str] | None, until: datetime | None = None) -> int:
    """Destroy the keys of these owners, or (None) of all of a tenant's; with `until` those that were made up to then. Return how many.

    What they sealed is lost.
    """
    count: int = await connection.fetchval(_DESTROY, tenant, None if owners is None else sorted(owners), until)
    return count


async def _live(connection: Connection, vault: Vault, owners: Collection[Owner]) -> dict[Owner, DataKey]:
    rows = await connection.fetch(_LIVE, [tenant for tenant, _ in owners], [owner for _, owner in owners])
    return {
        (row["tenant_id"], row["owner"]): DataKey.unwrap(vault, str(row["key_id"]), row["tenant_id"], row["owner"], row["wrapped"]) for row in rows
    }
