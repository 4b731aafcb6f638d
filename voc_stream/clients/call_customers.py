"""Personal data on its way into `customer_pii`: always sealed, bound to its tenant, column and call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voc_stream.clients.postgres import Connection
from voc_stream.events.calls import UNASSIGNED
from voc_stream.security.vault import Vault, in_customer_pii

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
    await connection.execute(
        _UPSERT,
        [c.call_id for c in known],
        [c.tenant_id for c in known],
        [vault.current_key_id for _ in known],
        [_sealed(vault, c, "other_parties", c.other_parties) for c in known],
        [_sealed(vault, c, "udfs", c.udfs) for c in known],
    )


async def move_customers(connection: Connection, vault: Vault, tenants: Mapping[str, str]) -> dict[str, str]:
    """Seal the data of unassigned calls again for their new tenants.

    Args:
        connection: in a transaction that holds the calls' rows.
        vault: opens and seals.
        tenants: call_id → new tenant.

    Returns:
        call_id → customer_ref under the new tenant, empty where nothing is known of the customer.
    """
    rows = await connection.fetch(_SELECT, list(tenants))
    moved = [
        Customer(
            call_id=row["call_id"],
            tenant_id=tenants[row["call_id"]],
            other_parties=_opened(vault, row["call_id"], "other_parties", row["other_parties"]),
            udfs=_opened(vault, row["call_id"], "udfs", row["udfs"]),
        )
        for row in rows
        if row["tenant_id"] == UNASSIGNED
    ]
    await write_customers(connection, vault, moved)
    known = {customer.call_id: vault.reference(customer.other_parties, customer.tenant_id) for customer in moved}
    return {call_id: known.get(call_id, "") for call_id in tenants}


def _sealed(vault: Vault, customer: Customer, column: str, value: str) -> str | None:
    return vault.seal(value, bound_to=in_customer_pii(customer.tenant_id, column, customer.call_id)) if value else None


def _opened(vault: Vault, call_id: str, column: str, sealed: str | None) -> str:
    return vault.open(sealed, bound_to=in_customer_pii(UNASSIGNED, column, call_id)) if sealed else ""
