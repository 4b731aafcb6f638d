"""Whether a signed JWT is from our identity provider, for us, and what its bearer may do (OIDC; docs/access.md). No I/O."""

from __future__ import annotations

import binascii
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidKeyCurveError,
    JoseError,
    KeyParameterError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from voc_stream.security.grants import Grant, Refusal, RefusedError, granted

_LEAST_RSA_BITS = 2048
_KINDS: Final[Mapping[str, type[RSAKey | ECKey | OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_SUBJECT = re.compile(r"[!-~]{1,120}", re.ASCII)
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)

_WRONG: Final = {"iss": Refusal.ISSUER, "aud": Refusal.AUDIENCE, "nbf": Refusal.NOT_YET, "iat": Refusal.NOT_YET}
_FAULTS: Final = {
    UnsupportedAlgorithmError: Refusal.ALGORITHM,
    BadSignatureError: Refusal.SIGNATURE,
    ExpiredTokenError: Refusal.EXPIRED,
    MissingClaimError: Refusal.CLAIMS,
    KeyParameterError: Refusal.KEY,
    InvalidKeyCurveError: Refusal.KEY,
}

Key = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcRules:
    """What we accept, and how claims become a grant.

    Attributes:
        issuer: must be the claim `iss`.
        audiences: one of which must be in `aud` of a bearer's token.
        client_id: must be in `aud` of the token of a login.
        algorithms: of `settings.SIGNATURES`; one at least.
        skew: seconds by which clocks may differ.
        tenant_claim: the claim that names the tenant; dots lead inward (`a.b`).
        scope_claim: the claim with the roles: a list, or words in a string.
        scopes: role → scope. Roles that are not here grant nothing.
        all_tenants: the tenant claim's value that means all of them; empty: nobody gets all.
    """

    issuer: str
    audiences: Collection[str]
    client_id: str
    algorithms: Collection[str]
    skew: int
    tenant_claim: str
    scope_claim: str
    scopes: Mapping[str, str]
    all_tenants: str


def key_id(token: str) -> str | None:
    """Return the `kid` of a JWT that nobody verified yet.

    Raises:
        RefusedError: it is no signed JWT.
    """
    head, *rest = token.split(".")
    try:
        header = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise RefusedError(Refusal.MALFORMED) from None
    kid = header.get("kid") if isinstance(header, dict) else None
    if len(rest) != 2 or not isinstance(header, dict) or not (kid is None or isinstance(kid, str)):
        raise RefusedError(Refusal.MALFORMED)
    return kid


def public_keys(document: object) -> dict[str | None, Key]:
    """Return the keys of a JWKS document that can verify: kid → key. What is no public key for signatures, or too short, is left out."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found: dict[str | None, Key] = {}
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and (key := _usable(each)) is not None:
            found[key.kid] = key
    return found


def claims_of(token: str, key: Key, rules: OidcRules, *, audiences: Collection[str], now: Callable[[], float]) -> dict[str, Any]:
    """Return the claims of a JWT that is signed with the key, by our issuer, for one of the audiences, and valid now.

    Raises:
        RefusedError: it is not.
    """
    expected = JWTClaimsRegistry(
        now=int(now()),
        leeway=rules.skew,
        iss={"essential": True, "value": rules.issuer},
        aud={"essential": True, "values": list(audiences)},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )
    try:
        # The registry holds the algorithms: beside one, `decode` ignores what it is told of them. Headers that we do not know are
        # no reason to refuse (RFC 7515 section 4); those that `crit` names are.
        claims = jwt.decode(token, key, registry=JWSRegistry(algorithms=rules.algorithms, strict_check_header=False)).claims
        expected.validate(claims)
    except (JoseError, ValueError, RecursionError) as error:
        raise RefusedError(_reason(error)) from None
    return claims


def grant_of(claims: Mapping[str, Any], rules: OidcRules) -> Grant:
    """Return what the claims grant.

    Raises:
        RefusedError: they name no subject, no tenant, or no role that we know.
    """
    subject, tenant = claims.get("sub"), _inward(claims, rules.tenant_claim)
    roles = _inward(claims, rules.scope_claim)
    words = roles.split() if isinstance(roles, str) else roles if isinstance(roles, list) else []
    scopes = granted(rules.scopes[word] for word in words if isinstance(word, str) and word in rules.scopes)
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject) or not isinstance(tenant, str) or not scopes:
        raise RefusedError(Refusal.CLAIMS)
    if rules.all_tenants and tenant == rules.all_tenants:
        return Grant(f"oidc:{subject}", None, scopes)
    if not _TENANT.fullmatch(tenant):
        raise RefusedError(Refusal.CLAIMS)
    return Grant(f"oidc:{subject}", tenant, scopes)


def _usable(each: dict[str, Any]) -> Key | None:
    kind = _KINDS.get(str(each.get("kty")))
    if kind is None or each.get("use") not in {None, "sig"} or not isinstance(each.get("kid"), str | None):
        return None
    try:
        key = kind.import_key({name: value for name, value in each.items() if name not in {"key_ops", "use"}})
        long_enough = not isinstance(key, RSAKey) or key.public_key.key_size >= _LEAST_RSA_BITS
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if long_enough else None


def _reason(error: Exception) -> Refusal:
    if isinstance(error, InvalidClaimError):
        return _WRONG.get(error.claim, Refusal.CLAIMS)
    for kind, reason in _FAULTS.items():
        if isinstance(error, kind):
            return reason
    return Refusal.MALFORMED


def _inward(claims: Mapping[str, Any], path: str) -> object:
    """Return the claim of that name, or what is inside: names of claims may hold dots themselves (`https://example.com/tenant`)."""
    if path in claims:
        return claims[path]
    found: object = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
