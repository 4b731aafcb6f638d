"""Personal data on its way into `customer_pii` and out of it: sealed by the customer's data key, bound to its tenant, column and call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from voc_stream.clients.call_originals import move_originals
from voc_stream.clients.customer_keys import keys_by_id, keys_of
from voc_stream.clients.postgres import Connection
from voc_stream.events.calls import UNASSIGNED
from voc_stream.security.data_key import DataKey, key_id_of, owner_of
from voc_stream.security.vault import SealError, Vault, in_customer_pii

_UPSERT = """
INSERT INTO customer_pii (call_id, tenant_id, key_id, other_parties, udfs)
SELECT * FROM unnest($1::varchar[], $2::varchar[], $3::varchar[], $4::text[], $5::text[])
ON CONFLICT (call_id) DO UPDATE
SET tenant_id = EXCLUDED.tenant_id, key_id = EXCLUDED.key_id, other_parties = EXCLUDED.other_parties, udfs = EXCLUDED.udfs
"""

_SELECT = "SELECT call_id, tenant_id, other_parties, udfs FROM customer_pii WHERE call_id = ANY($1::varchar[])"


@dataclass(frozen=True, slots=True)
class Customer:
    """A call's personal data in the clear; it lives only between opening and sealing."""

    call_id: str
    tenant_id: str
    other_parties: str
    udfs: str

    def __repr__(self) -> str:
        return f"Customer(call_id={self.call_id!r}, tenant_id={self.tenant_id!r})"


async def write_customers(connection: Connection, vault: Vault, customers: Sequence[Customer]) -> None:
    """Seal and store; calls without any personal data get no row.

    Raises:
        NoKeyError: there is no key to seal with.
    """
    known = [customer for customer in customers if customer.other_parties or customer.udfs]
    if not known:
        return
    owners = [(c.tenant_id, owner_of(vault.reference(c.other_parties, c.tenant_id), c.call_id)) for c in known]
    by_owner = await keys_of(connection, vault, owners)
    keys = [by_owner[owner] for owner in owners]
    await connection.execute(
        _UPSERT,
        [c.call_id for c in known],
        [c.tenant_id for c in known],
        [key.key_id for key in keys],
        [_sealed(key, c, "other_parties", c.other_parties) for key, c in zip(keys, known, strict=True)],
        [_sealed(key, c, "udfs", c.udfs) for key, c in zip(keys, known, strict=True)],
    )


async def read_customers(connection: Connection, vault: Vault, call_ids: Sequence[str]) -> dict[str, Customer]:
    """Return what is known of the customers of these calls; a call whose key is destroyed is as one of which nothing is known.

    Raises:
        NoKeyError: a key is not among ours.
        SealError: a row was altered.
    """
    rows = await connection.fetch(_SELECT, call_ids)
    sealed = [row[column] for row in rows for column in ("other_parties", "udfs") if row[column]]
    keys = await keys_by_id(connection, vault, [key_id for text in sealed if (key_id := key_id_of(text)) is not None])
    return {row["call_id"]: customer for row in rows if (customer := _customer(row, vault, keys)) is not None}


async def move_customers(connection: Connection, vault: Vault, tenants: Mapping[str, str]) -> dict[str, str]:
    """Seal the data of unassigned calls again for their new tenants.

    Args:
        connection: in a transaction that holds the calls' rows.
        vault: opens and seals.
        tenants: call_id → new tenant.

    Returns:
        call_id → customer_ref under the new tenant, empty where nothing is known of the customer.
    """
    found = await read_customers(connection, vault, list(tenants))
    moved = [
        Customer(call_id, tenants[call_id], customer.other_parties, customer.udfs)
        for call_id, customer in found.items()
        if customer.tenant_id == UNASSIGNED
    ]
    await write_customers(connection, vault, moved)
    known = {customer.call_id: vault.reference(customer.other_parties, customer.tenant_id) for customer in moved}
    references = {call_id: known.get(call_id, "") for call_id in tenants}
    await move_originals(connection, vault, {call_id: (tenant, owner_of(references[call_id], call_id)) for call_id, tenant in tenants.items()})
    return references


def _customer(row: asyncpg.Record, vault: Vault, keys: Mapping[str, DataKey]) -> Customer | None:
    opened = []
    for column in ("other_parties", "udfs"):
        sealed = row[column]
        if not sealed:
            opened.append("")
            continue
        place = in_customer_pii(row["tenant_id"], column, row["call_id"])
        key_id = key_id_of(sealed)
        if key_id is None:
            opened.append(vault.open(sealed, bound_to=place))
        elif key_id in keys:
            if keys[key_id].tenant_id != row["tenant_id"]:
                raise SealError("sealed by another tenant's key")
            opened.append(keys[key_id].open(sealed, bound_to=place))
        else:
            return None
    return Customer(row["call_id"], row["tenant_id"], *opened)


def _sealed(key: DataKey, customer: Customer, column: str, value: str) -> str | None:
    return key.seal(value, bound_to=in_customer_pii(customer.tenant_id, column, customer.call_id)) if value else None
