"""Encryption of personal data (spec sections 2.3 and 5, docs/adr/0006-personal-data.md)."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voc_stream.errors import OutageError, RejectedError

_FORMAT = "v1"
_NONCE_BYTES = 12
_REFERENCE_BYTES = 16


class NoKeyError(OutageError):
    """A key is missing from PII_KEYS: nothing that needs it can go on until the operator gives it."""

    def __init__(self, reason: str) -> None:
        super().__init__("vault", reason)


class SealError(RejectedError):
    """The sealed text is not what was sealed: altered, cut, or moved from another row or column."""

    def __init__(self, reason: str) -> None:
        super().__init__("vault", reason)


def on_the_wire(call_id: str) -> tuple[str, ...]:
    """Return what `RawCall.sealed_udfs` is bound to."""
    return ("calls.raw", "udfs", call_id)


def in_customer_pii(tenant_id: str, column: str, call_id: str) -> tuple[str, ...]:
    """Return what a column of `customer_pii` is bound to."""
    return (tenant_id, "customer_pii", column, call_id)


def in_dead_letter(column: str, topic: str, partition: int, offset: int) -> tuple[str, ...]:
    """Return what a column of `dead_letter` is bound to: the dead letter's own place in Kafka."""
    return ("dead_letter", column, topic, str(partition), str(offset))


class Vault:
    """Seals and opens text with AES-256-GCM, and gives pseudonyms.

    Args:
        keys: key id → 32 bytes, in the order of PII_KEYS. All of them open; the first also makes the pseudonyms,
            so that these stay the same when a key is added.
        current_key_id: the key that seals.
    """

    def __init__(self, keys: Mapping[str, bytes], current_key_id: str) -> None:
        self.renew(keys, current_key_id)

    def renew(self, keys: Mapping[str, bytes], current_key_id: str) -> None:
        """Use these keys from now on; what was missing is looked for anew. The first one must stay, or pseudonyms change."""
        self._ciphers = {key_id: AESGCM(_derive(key, b"seal")) for key_id, key in keys.items()}
        self._reference_key = _derive(next(iter(keys.values())), b"reference") if keys else None
        self.current_key_id = current_key_id
        self._missed: str | None = None

    async def probe(self) -> None:
        """Raise what was missing, until the key is given.

        Raises:
            NoKeyError: a key that something needed is not among ours.
        """
        if self._missed is not None:
            raise NoKeyError(self._missed)

    def seal(self, plaintext: str, *, bound_to: tuple[str, ...]) -> str:
        """Encrypt a text; it can only be opened with the same `bound_to`.

        Returns:
            `v1.<key id>.<nonce>.<ciphertext>`, the last two in base64url.

        Raises:
            NoKeyError: there is no current key.
        """
        cipher = self._cipher(self.current_key_id)
        nonce = os.urandom(_NONCE_BYTES)
        head = f"{_FORMAT}.{self.current_key_id}"
        sealed = cipher.encrypt(nonce, plaintext.encode("utf-8", "surrogatepass"), unambiguous(head, *bound_to))
        return sealed_text(head, nonce, sealed)

    def open(self, sealed: str, *, bound_to: tuple[str, ...]) -> str:
        """Decrypt what `seal` made with the same `bound_to`.

        Raises:
            NoKeyError: its key is not among ours.
            SealError: it was altered, or sealed for another place.
        """
        head, nonce, ciphertext = sealed_parts(sealed)
        cipher = self._cipher(head.partition(".")[2])
        try:
            return cipher.decrypt(nonce, ciphertext, unambiguous(head, *bound_to)).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError):
            reason = "sealed text was altered, or belongs to another row or column"
            raise SealError(reason) from None

    def reference(self, value: str, tenant: str) -> str:
        """Return a pseudonym: the same for the same value and tenant, unlinkable across tenants and without the key; empty for an empty value.

        Raises:
            NoKeyError: there is no key.
        """
        if not value:
            return ""
        if self._reference_key is None:
            raise NoKeyError(_NO_KEYS)
        mac = hmac.HMAC(self._reference_key, hashes.SHA256())
        mac.update(unambiguous(tenant, value))
        return mac.finalize()[:_REFERENCE_BYTES].hex()

    def _cipher(self, key_id: str) -> AESGCM:
        if not self._ciphers:
            raise NoKeyError(_NO_KEYS)
        if key_id not in self._ciphers:
            self._missed = f"PII_KEYS has no key {key_id!r}"
            raise NoKeyError(self._missed)
        return self._ciphers[key_id]


_NO_KEYS = "PII_KEYS is not set: customer data is never stored in the clear"


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"voc-stream " + purpose).derive(key)


def unambiguous(*parts: str) -> bytes:
    """Join parts so that no two tuples give the same bytes: each is preceded by its length."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def sealed_text(head: str, nonce: bytes, ciphertext: bytes) -> str:
    """Return what was sealed as text: its head (format and key id), then the rest in base64url."""
    return f"{head}.{_to_text(nonce)}.{_to_text(ciphertext)}"


def sealed_parts(sealed: str, form: str = _FORMAT) -> tuple[str, bytes, bytes]:
    """Return head, nonce and ciphertext of a sealed text of a format.

    Raises:
        SealError: it is none.
    """
    head, *texts = sealed.rsplit(".", 2)
    if not head.startswith(f"{form}.") or len(texts) != 2:
        reason = "not a sealed text"
        raise SealError(reason)
    try:
        nonce, ciphertext = (base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True) for text in texts)
    except (binascii.Error, ValueError):
        reason = "sealed text is not base64"
        raise SealError(reason) from None
    return head, nonce, ciphertext


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
