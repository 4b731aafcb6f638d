"""A customer's data key: random, kept only wrapped by a key of PII_KEYS; with it goes whatever it sealed (docs/adr/0026-privacy.md)."""

from __future__ import annotations

import base64
import os
import uuid
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voc_stream.security.vault import SealError, Vault, sealed_parts, sealed_text, unambiguous

FORMAT = "v2"

_KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class DataKey:
    """Seals and opens what belongs to one customer of one tenant.

    Attributes:
        key_id: names it in whatever it sealed.
        tenant_id: whose customer.
        owner: the customer's pseudonym, or `call:` and a call_id.
    """

    key_id: str
    tenant_id: str
    owner: str
    _secret: bytes = field(repr=False)

    @classmethod
    def new(cls, tenant_id: str, owner: str) -> Self:
        """Make one at random."""
        return cls(str(uuid.uuid4()), tenant_id, owner, os.urandom(_KEY_BYTES))

    @classmethod
    def unwrap(cls, vault: Vault, key_id: str, tenant_id: str, owner: str, wrapped: str) -> Self:
        """Open a wrapped one.

        Raises:
            NoKeyError: the key that wraps it is not among ours.
            SealError: it was altered, or is another customer's.
        """
        return cls(key_id, tenant_id, owner, base64.b64decode(vault.open(wrapped, bound_to=_place(tenant_id, owner, key_id))))

    def wrapped(self, vault: Vault) -> str:
        """Return it sealed by the current key of PII_KEYS.

        Raises:
            NoKeyError: there is none.
        """
        return vault.seal(base64.b64encode(self._secret).decode(), bound_to=_place(self.tenant_id, self.owner, self.key_id))

    def seal(self, plaintext: str, *, bound_to: tuple[str, ...]) -> str:
        """Encrypt a text (AES-256-GCM); it can only be opened with the same `bound_to`. Returns `v2.<key id>.<nonce>.<ciphertext>`."""
        head, nonce = f"{FORMAT}.{self.key_id}", os.urandom(_NONCE_BYTES)
        return sealed_text(head, nonce, AESGCM(self._secret).encrypt(nonce, plaintext.encode("utf-8", "surrogatepass"), unambiguous(head, *bound_to)))

    def open(self, sealed: str, *, bound_to: tuple[str, ...]) -> str:
        """Decrypt what `seal` made with the same `bound_to`.

        Raises:
            SealError: it was altered, or sealed by another key or for another place.
        """
        head, nonce, ciphertext = sealed_parts(sealed, FORMAT)
        try:
            return AESGCM(self._secret).decrypt(nonce, ciphertext, unambiguous(head, *bound_to)).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError):
            raise SealError("sealed text was altered, or belongs to another row, column or customer") from None


def key_id_of(sealed: str) -> str | None:
    """Return which data key sealed a text; None if a key of PII_KEYS did."""
    return sealed.split(".", 2)[1] if sealed.startswith(f"{FORMAT}.") else None


def owner_of(customer_ref: str, call_id: str) -> str:
    """Return who owns a call's data: the customer, or the call itself where the other party is not known."""
    return customer_ref or f"call:{call_id}"


def in_original_transcript(tenant_id: str, call_id: str) -> tuple[str, ...]:
    """Return what a sealed original transcript is bound to."""
    return (tenant_id, "original_transcript", "sealed", call_id)


def _place(tenant_id: str, owner: str, key_id: str) -> tuple[str, ...]:
    return (tenant_id, "customer_key", owner, key_id)
