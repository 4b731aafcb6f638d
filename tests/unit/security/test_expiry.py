"""When certificates and tokens end."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.certificates import certificate
from voc_stream.security.expiry import authorities_end, chain_ends, token_ends

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def test_a_chain_ends_with_its_first_and_authorities_with_their_last(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(certificate(NOON) + certificate(NOON + timedelta(days=5)) + certificate(NOON + timedelta(days=2)))
    assert chain_ends(bundle) == NOON
    assert authorities_end(bundle) == NOON + timedelta(days=5)


def test_a_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no certificate")
    with pytest.raises(ValueError, match="PEM"):
        chain_ends(tmp_path / "key.pem")


def jwt(claims: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.signature"


def test_a_jwt_says_when_it_ends() -> None:
    assert token_ends(jwt({"sub": "worker", "exp": NOON.timestamp()})) == NOON


@pytest.mark.parametrize(
    "token",
    ["", "an-opaque-token", "a.b.c", "voc_0123456789abcdef.secret", jwt({"sub": "worker"}), jwt({"exp": "soon"}), jwt({"exp": 1e300}), jwt([1])],
)
def test_of_other_tokens_nothing_is_known(token: str) -> None:
    assert token_ends(token) is None
