"""Settings of who is asking that are unsafe, or contradict each other, stop the start."""

from __future__ import annotations

from typing import Any

import pytest

from voc_stream.settings import SettingsError, load_settings

PROVIDER: dict[str, Any] = {"oidc_issuer": "https://login.example.com/", "oidc_audience": "voc"}
OUTSIDE = {"app_env": "stg", "pii_keys": "k1:" + "A" * 43 + "=", "pii_key_id": "k1"}


def test_an_issuer_is_kept_to_the_letter() -> None:
    assert load_settings(**PROVIDER).oidc_issuer == "https://login.example.com/"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"oidc_audience": "voc"}, "OIDC_ISSUER"),
        ({"oidc_issuer": "https://login.example.com"}, "OIDC_AUDIENCE"),
        (PROVIDER | {"oidc_client_id": "pages"}, "OIDC_REDIRECT_URL"),
        (PROVIDER | {"oidc_algorithms": "none"}, "OIDC_ALGORITHMS"),
        (PROVIDER | {"oidc_algorithms": "RS256,HS256"}, "OIDC_ALGORITHMS"),
        (PROVIDER | {"oidc_algorithms": ""}, "OIDC_ALGORITHMS"),
        (PROVIDER | {"oidc_scopes": "boss:root"}, "OIDC_SCOPES"),
        (PROVIDER | {"oidc_scopes": "read"}, "OIDC_SCOPES"),
        (PROVIDER | {"oidc_issuer": "https://user:secret@login.example.com"}, "OIDC_ISSUER"),
        (PROVIDER | {"oidc_issuer": "ftp://login.example.com"}, "OIDC_ISSUER"),
        (PROVIDER | OUTSIDE | {"oidc_issuer": "http://login.example.com"}, "must be https"),
        (PROVIDER | OUTSIDE | {"oidc_jwks_url": "http://login.example.com/jwks"}, "must be https"),
        ({"session_seconds": 300, "session_idle_seconds": 600}, "SESSION_SECONDS"),
    ],
)
def test_what_would_let_others_in_stops_the_start(given: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as caught:
        load_settings(**given)
    assert "secret" not in str(caught.value).replace("shared secret", "")


def test_a_password_beats_the_one_in_the_address_and_is_quoted() -> None:
    settings = load_settings(postgres_dsn="postgresql://voc:old@db:5432/voc?x=1", postgres_password="p@ss/w:rd")
    assert settings.postgres_url == "postgresql://voc:p%40ss%2Fw%3Ard@db:5432/voc?x=1"
    assert load_settings(postgres_dsn="postgresql://voc:old@db/voc").postgres_url == "postgresql://voc:old@db/voc"
