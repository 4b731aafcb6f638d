"""Keys and JWTs of an identity provider that tests play."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from voc_stream.security.oidc import OidcRules

ISSUER = "https://login.example.com/realms/voc/"
AUDIENCE = "voc-stream"
CLIENT = "voc-stream-pages"
SCOPES = {"voc.read": "read", "voc.original": "original", "voc.operate": "operate", "voc.admin": "admin"}
RULES = OidcRules(
    issuer=ISSUER,
    audiences=(AUDIENCE,),
    client_id=CLIENT,
    algorithms=("RS256", "ES256"),
    skew=60,
    tenant_claim="tenant_id",
    scope_claim="roles",
    scopes=SCOPES,
    all_tenants="*",
)


@cache
def rsa_key(kid: str = "k1", bits: int = 2048) -> RSAKey:
    """Return the RSA key of this name, the same for the whole session."""
    return RSAKey.generate_key(bits, {"kid": kid})


@cache
def ec_key(kid: str = "e1") -> ECKey:
    """Return the P-256 key of this name."""
    return ECKey.generate_key("P-256", {"kid": kid})


def claims(**changes: Any) -> dict[str, Any]:
    """Return claims that are accepted, changed; None leaves one out."""
    now = int(time.time())
    usual = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "u-17", "iat": now, "exp": now + 300, "tenant_id": "acme", "roles": ["voc.read", "offline_access"],
    }  # fmt: skip
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(claims_: dict[str, Any], key: RSAKey | ECKey, alg: str = "RS256", **header: Any) -> str:
    """Return a JWT."""
    head = {"alg": alg, "kid": key.kid} | header
    return jwt.encode(
        {name: value for name, value in head.items() if value is not None},
        claims_,
        key,
        registry=JWSRegistry(algorithms=[alg], strict_check_header=False),
    )


def jwks(*keys: RSAKey | ECKey) -> dict[str, Any]:
    """Return what a provider publishes of its keys."""
    return {"keys": [key.as_dict(private=False) | {"use": "sig"} for key in keys]}
