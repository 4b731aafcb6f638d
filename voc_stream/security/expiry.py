"""When what lets us in, or others in to us, ends: certificates in PEM files, and tokens that say it themselves."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography import x509


class _Claims(msgspec.Struct):
    exp: float | None = None


def chain_ends(path: Path) -> datetime:
    """Return when the first certificate of a chain ends: from then on nobody trusts it.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no certificate.
    """
    return min(_ends(path))


def authorities_end(path: Path) -> datetime:
    """Return when the last of several authorities ends; one that ended before may have been kept for others.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no certificate.
    """
    return max(_ends(path))


def token_ends(token: str) -> datetime | None:
    """Return when a token ends, if it is a JWT that says so; its signature is not looked at, for it is ours to show and not to check."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)), type=_Claims)
        return None if claims.exp is None else datetime.fromtimestamp(claims.exp, UTC)
    except (ValueError, OverflowError, OSError):  # msgspec's and base64's errors are ValueErrors
        return None


def _ends(path: Path) -> list[datetime]:
    return [certificate.not_valid_after_utc for certificate in x509.load_pem_x509_certificates(path.read_bytes())]
