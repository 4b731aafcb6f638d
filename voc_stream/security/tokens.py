"""Tokens `voc_<key>.<secret>`: the key names the token in logs and lists, the secret proves it and is stored by nobody (docs/access.md)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

# 96 bits name a token, 128 prove it.
_KEY_BYTES = 12
_SECRET_BYTES = 16
_TOKEN = re.compile(r"voc_([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22})", re.ASCII)
KEY = re.compile(r"[A-Za-z0-9_-]{16}", re.ASCII)
PREFIX = "voc_"


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token, apart.

    Attributes:
        key: may be shown.
        secret: 128 bits; neither stored nor logged.
    """

    key: str
    secret: str

    def __repr__(self) -> str:
        return f"TokenText(key={self.key!r})"

    @property
    def text(self) -> str:
        """The whole token, as its owner gets it, once."""
        return f"{PREFIX}{self.key}.{self.secret}"

    @property
    def digest(self) -> bytes:
        """SHA-256 of the secret: what is stored. The secret is random, so that no slow hash is needed."""
        return sha256(self.secret)

    def proves(self, digest: bytes) -> bool:
        """Whether its secret is the one that was stored as this digest; takes the same time for every wrong one."""
        return hmac.compare_digest(self.digest, digest)


def new_token() -> TokenText:
    """Return a token that there never was; its key does not begin with a hyphen, so that a command line takes it for no option."""
    key = "-"
    while key.startswith("-"):
        key = secrets.token_urlsafe(_KEY_BYTES)
    return TokenText(key, secrets.token_urlsafe(_SECRET_BYTES))


def parse_token(text: str) -> TokenText | None:
    """Return what a text says, or None if it is no token."""
    found = _TOKEN.fullmatch(text)
    return TokenText(found[1], found[2]) if found else None


def sha256(text: str) -> bytes:
    """Return the digest of a random text."""
    return hashlib.sha256(text.encode()).digest()
