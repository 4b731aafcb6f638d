"""Transcripts before redaction, in PostgreSQL: compressed, and sealed by the customer's data key (docs/adr/0026-privacy.md)."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping

from voc_stream.clients.customer_keys import Owner, keys_by_id, keys_of
from voc_stream.clients.postgres import Connection
from voc_stream.errors import RejectedError
from voc_stream.security.data_key import in_original_transcript, owner_of
from voc_stream.security.vault import Vault

_CALL = "SELECT tenant_id, customer_ref FROM call WHERE call_id = $1 FOR SHARE"
_UPSERT = """
INSERT INTO original_transcript (call_id, tenant_id, key_id, sealed) VALUES ($1, $2, $3, $4)
ON CONFLICT (call_id) DO UPDATE SET tenant_id = EXCLUDED.tenant_id, key_id = EXCLUDED.key_id, sealed = EXCLUDED.sealed
"""
_SELECT = "SELECT tenant_id, key_id, sealed FROM original_transcript WHERE call_id = $1 AND ($2::varchar IS NULL OR tenant_id = $2)"
_MOVING = "SELECT call_id, tenant_id, key_id, sealed FROM original_transcript WHERE call_id = ANY($1::varchar[])"
LARGEST = 32 << 20


async def keep_original(connection: Connection, vault: Vault, call_id: str, data: bytes) -> bool:
    """Seal and store a call's transcript in the place of an earlier one; return whether the call is known.

    Args:
        connection: in a transaction: the call cannot be forgotten in the midst of it.
        vault: wraps the key.
        call_id: whose transcript.
        data: JSON.

    Raises:
        NoKeyError: there is no key to seal with.
        OutsideError: PostgreSQL failed.
    """
    call = await connection.fetchrow(_CALL, call_id)
    if call is None:
        return False
    owner = (call["tenant_id"], owner_of(call["customer_ref"], call_id))
    key = (await keys_of(connection, vault, [owner]))[owner]
    sealed = key.seal(_packed(data), bound_to=in_original_transcript(call["tenant_id"], call_id))
    await connection.execute(_UPSERT, call_id, call["tenant_id"], key.key_id, sealed)
    return True


async def read_original(connection: Connection, vault: Vault, tenant_id: str | None, call_id: str) -> bytes | None:
    """Return the JSON of a call's transcript as the scorer told it; None if there is none, it is another tenant's, or its key is destroyed.

    Raises:
        NoKeyError: the key that wraps its key is not among ours.
        SealError: it was altered.
        OutsideError: PostgreSQL failed.
    """
    row = await connection.fetchrow(_SELECT, call_id, tenant_id)
    if row is None:
        return None
    key = (await keys_by_id(connection, vault, [str(row["key_id"])])).get(str(row["key_id"]))
    return None if key is None else _unpacked(key.open(row["sealed"], bound_to=in_original_transcript(row["tenant_id"], call_id)))


async def move_originals(connection: Connection, vault: Vault, owners: Mapping[str, Owner]) -> None:
    """Seal the transcripts of calls again for their new owners.

    Args:
        connection: in a transaction that holds the calls' rows.
        vault: opens and seals.
        owners: by call_id.
    """
    rows = await connection.fetch(_MOVING, list(owners))
    old = await keys_by_id(connection, vault, [str(row["key_id"]) for row in rows])
    new = await keys_of(connection, vault, [owners[row["call_id"]] for row in rows]) if rows else {}
    for row in rows:
        call_id, key = row["call_id"], old.get(str(row["key_id"]))
        if key is None:
            continue
        packed = key.open(row["sealed"], bound_to=in_original_transcript(row["tenant_id"], call_id))
        own = new[owners[call_id]]
        await connection.execute(
            _UPSERT, call_id, own.tenant_id, own.key_id, own.seal(packed, bound_to=in_original_transcript(own.tenant_id, call_id))
        )


def _packed(data: bytes) -> str:
    return base64.b85encode(zlib.compress(data, 6)).decode()


def _unpacked(packed: str) -> bytes:
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(base64.b85decode(packed), LARGEST)
    if unpacking.unconsumed_tail:
        raise RejectedError("postgres", f"the original transcript is longer than {LARGEST} bytes")
    return data
