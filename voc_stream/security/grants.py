"""What somebody may do, and why somebody is not let in (docs/access.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SCOPES: Final = ("read", "original", "operate", "admin")
_INCLUDED = {
    "read": frozenset({"read"}),
    "original": frozenset({"read", "original"}),
    "operate": frozenset({"read", "operate"}),
    "admin": frozenset(SCOPES),
}


class Refusal(StrEnum):
    """Why a credential is refused: the metric's label. The answer says 401 and no more."""

    NONE = "none"
    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    SECRET = "secret"  # noqa: S105 - a reason, not a secret
    EXPIRED = "expired"
    REVOKED = "revoked"
    IDLE = "idle"
    CSRF = "csrf"
    NO_OIDC = "no_oidc"
    ALGORITHM = "algorithm"
    KEY = "key"
    SIGNATURE = "signature"
    NOT_YET = "not_yet"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    CLAIMS = "claims"
    LOGIN = "login"


class RefusedError(Exception):
    """A credential is not let in.

    Args:
        reason: for the metric and the log.
    """

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Grant:
    """What a credential that was proven may do.

    Attributes:
        actor: who, as the audit log has it: `token:<key>` or `oidc:<subject>`.
        tenant_id: whose data; None: those of all tenants.
        scopes: of SCOPES, those included by others too (`granted`).
    """

    actor: str
    tenant_id: str | None
    scopes: frozenset[str]


def granted(scopes: Iterable[str]) -> frozenset[str]:
    """Return the scopes with all that they include: admin includes all, operate and original include read. Unknown ones grant nothing."""
    return frozenset().union(*(_INCLUDED.get(scope, frozenset()) for scope in scopes))
