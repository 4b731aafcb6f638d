"""What JWTs are let in, and what their claims grant."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pytest

from tests.oidc import AUDIENCE, CLIENT, ISSUER, RULES, claims, ec_key, jwks, rsa_key, signed
from voc_stream.security.grants import Grant, Refusal, RefusedError
from voc_stream.security.oidc import Key, claims_of, grant_of, key_id, public_keys
from voc_stream.settings import SIGNATURES


def encoded(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def admitted(token: str, key: Key | None = None, audience: str = AUDIENCE) -> Grant:
    public = public_keys(jwks(rsa_key(), ec_key()))
    found = key or public[key_id(token)]
    return grant_of(claims_of(token, found, RULES, audiences=(audience,), now=time.time), RULES)


def reason(token: str, key: Key | None = None) -> Refusal:
    with pytest.raises(RefusedError) as caught:
        admitted(token, key)
    return caught.value.reason


def test_a_token_of_the_provider_grants_what_its_claims_say() -> None:
    assert admitted(signed(claims(), rsa_key())) == Grant("oidc:u-17", "acme", frozenset({"read"}))
    assert admitted(signed(claims(), ec_key(), "ES256")) == Grant("oidc:u-17", "acme", frozenset({"read"}))


def test_one_of_several_audiences_is_enough() -> None:
    assert admitted(signed(claims(aud=["other", AUDIENCE]), rsa_key())).tenant_id == "acme"


def test_a_token_without_signature_is_refused_for_its_algorithm() -> None:
    bare = f"{encoded({'alg': 'none', 'kid': 'k1'})}.{encoded(claims())}."
    assert reason(bare) is Refusal.ALGORITHM
    assert reason(f"{encoded({'alg': 'nOnE', 'kid': 'k1'})}.{encoded(claims())}.") is Refusal.ALGORITHM


def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused() -> None:
    said = f"{encoded({'alg': 'HS256', 'kid': 'k1'})}.{encoded(claims())}"
    mac = hmac.digest(rsa_key().as_pem(private=False), said.encode(), "sha256")
    assert reason(f"{said}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}") is Refusal.ALGORITHM


def test_an_algorithm_that_is_not_allowed_is_refused_though_the_key_is_right() -> None:
    assert reason(signed(claims(), rsa_key(), "PS256")) is Refusal.ALGORITHM


def test_the_algorithm_of_another_kind_of_key_is_refused() -> None:
    token = signed(claims(), rsa_key(), kid="e1")
    assert reason(token) in {Refusal.KEY, Refusal.SIGNATURE, Refusal.MALFORMED}


def test_a_key_that_is_not_the_provider_s_is_a_wrong_signature() -> None:
    assert reason(signed(claims(), rsa_key("stranger"), kid="k1")) is Refusal.SIGNATURE


def test_an_altered_claim_is_a_wrong_signature() -> None:
    head, _, signature = signed(claims(), rsa_key()).split(".")
    assert reason(f"{head}.{encoded(claims(tenant_id='globex'))}.{signature}") is Refusal.SIGNATURE


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exp": 1}, Refusal.EXPIRED),
        ({"exp": None}, Refusal.CLAIMS),
        ({"exp": "soon"}, Refusal.CLAIMS),
        ({"iat": None}, Refusal.CLAIMS),
        ({"iat": 32_503_680_000, "exp": 32_503_690_000}, Refusal.NOT_YET),
        ({"nbf": 32_503_680_000}, Refusal.NOT_YET),
        ({"iss": ISSUER.rstrip("/")}, Refusal.ISSUER),
        ({"iss": None}, Refusal.CLAIMS),
        ({"aud": "other"}, Refusal.AUDIENCE),
        ({"aud": ["other", CLIENT]}, Refusal.AUDIENCE),
        ({"aud": {"voc-stream": 1}}, Refusal.AUDIENCE),
        ({"aud": None}, Refusal.CLAIMS),
        ({"sub": None}, Refusal.CLAIMS),
        ({"sub": "a b"}, Refusal.CLAIMS),
        ({"sub": "x" * 121}, Refusal.CLAIMS),
        ({"sub": 17}, Refusal.CLAIMS),
        ({"tenant_id": None}, Refusal.CLAIMS),
        ({"tenant_id": ""}, Refusal.CLAIMS),
        ({"tenant_id": ["acme"]}, Refusal.CLAIMS),
        ({"tenant_id": "acme' OR 1=1"}, Refusal.CLAIMS),
        ({"roles": None}, Refusal.CLAIMS),
        ({"roles": []}, Refusal.CLAIMS),
        ({"roles": ["admin", "read", {"voc.admin": 1}]}, Refusal.CLAIMS),
        ({"roles": {"voc.read": 1}}, Refusal.CLAIMS),
    ],
)
def test_claims_that_are_not_as_they_should_be_are_refused(changes: dict[str, Any], expected: Refusal) -> None:
    assert reason(signed(claims(**changes), rsa_key())) is expected


def test_clocks_may_differ_by_the_skew() -> None:
    now = int(time.time())
    assert admitted(signed(claims(exp=now - 30, iat=now - 400), rsa_key()))
    assert admitted(signed(claims(iat=now + 30), rsa_key()))


def test_roles_may_be_words_in_a_string_and_claims_may_lie_deeper() -> None:
    rules = replace(RULES, tenant_claim="org.tenant", scope_claim="https://voc.example.com/roles")
    deep = claims(org={"tenant": "acme"}) | {"https://voc.example.com/roles": "voc.operate other"}
    assert grant_of(deep, rules) == Grant("oidc:u-17", "acme", frozenset({"read", "operate"}))


def test_all_tenants_are_for_who_has_the_word_for_it_and_for_nobody_where_there_is_none() -> None:
    assert grant_of(claims(tenant_id="*"), RULES).tenant_id is None
    with pytest.raises(RefusedError):
        grant_of(claims(tenant_id="*"), replace(RULES, all_tenants=""))


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.b.c", "..", "e30.e30.e30.e30.e30", "W10.e30.", f"{encoded({'kid': 1})}.e30.", f"{'A' * 9000}.e30.x"]
)
def test_what_is_no_jwt_is_malformed(token: str) -> None:
    assert reason(token, rsa_key()) in {Refusal.MALFORMED, Refusal.ALGORITHM}


def test_deep_json_is_refused_and_does_no_harm() -> None:
    deep = urlsafe_b64encode(b"[" * 100_000).rstrip(b"=").decode()
    assert reason(f"{deep}.e30.x", rsa_key()) is Refusal.MALFORMED


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_only_public_keys_for_signatures_that_are_long_enough_are_taken() -> None:
    shared = {"kty": "oct", "kid": "o1", "k": "c2VjcmV0"}
    for_encryption = rsa_key("enc").as_dict(private=False) | {"use": "enc"}
    short = rsa_key("short", 1024).as_dict(private=False)
    broken = [
        {"kty": "RSA", "kid": "b1"},
        {"kty": "RSA", "kid": 5},
        {"kty": []},
        None,
        "x",
        {"kty": "EC", "crv": "P-0", "x": "", "y": "", "kid": "b2"},
    ]
    document = {"keys": [*jwks(rsa_key(), ec_key())["keys"], shared, for_encryption, short, *broken]}
    assert set(public_keys(document)) == {"k1", "e1"}
    assert public_keys({"keys": 5}) == public_keys([]) == public_keys(None) == {}


def test_an_unknown_header_is_no_reason_to_refuse_and_an_unknown_critical_one_is() -> None:
    assert admitted(signed(claims(), rsa_key(), x5t="abc", nonce="n"))
    head = encoded({"alg": "RS256", "kid": "k1", "crit": ["exotic"], "exotic": 1})
    _, body, signature = signed(claims(), rsa_key()).split(".")
    assert reason(f"{head}.{body}.{signature}") is Refusal.MALFORMED


def test_no_algorithm_that_may_be_allowed_needs_a_shared_secret() -> None:
    assert not [name for name in SIGNATURES if name.startswith("HS") or name.lower() == "none"]
