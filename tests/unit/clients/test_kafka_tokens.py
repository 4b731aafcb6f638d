"""Tokens that open Kafka: from a file, or from a token endpoint over real HTTP."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiokafka.errors import KafkaConnectionError

from tests.unit.clients.http_server import Scripted, scripted_server
from voc_stream.clients.kafka_tokens import ClientCredentials, FileTokens, kafka_tokens
from voc_stream.settings import Settings, SettingsError, load_settings

SECRET = "its own: secret"


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_server() as script:
        yield script


def by_url(url: str, **more: object) -> Settings:
    given = {
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "OAUTHBEARER",
        "kafka_sasl_username": "voc",
        "kafka_sasl_password": SECRET,
    }
    return load_settings(**given, kafka_oauth_token_url=url, **more)


async def test_a_token_is_asked_for_as_the_client_and_used_for_most_of_its_life(server: Scripted) -> None:
    forms: list[dict[str, object]] = []

    async def answer(request: web.Request) -> web.Response:
        forms.append(dict(await request.post()))
        return web.json_response({"access_token": f"token-{len(forms)}", "token_type": "Bearer", "expires_in": 100})

    server.answer = answer
    now = 0.0
    provider = ClientCredentials(by_url(f"{server.url}/token", kafka_oauth_scope="kafka"), clock=lambda: now)

    assert [await provider.token(), await provider.token()] == ["token-1", "token-1"]
    now = 79.0
    assert await provider.token() == "token-1"
    now = 81.0
    assert await provider.token() == "token-2"
    assert forms == [{"grant_type": "client_credentials", "scope": "kafka"}] * 2
    proof = server.asked[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(proof).decode() == "voc:its%20own%3A%20secret"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, b"{}", "it answered 401"),
        (302, b"", "it answered 302"),
        (200, b"<html>", "not what OAuth 2 says"),
        (200, b'{"access_token": ""}', "gives no token"),
        (200, b'{"access_token": "a\\u0001auth=Bearer b"}', "gives no token"),
    ],
)
async def test_no_token_is_a_connection_that_cannot_be_made_and_the_secret_is_not_told(
    server: Scripted, status: int, body: bytes, reason: str
) -> None:
    server.says(status, body, Location="http://127.0.0.1:1/")
    with pytest.raises(KafkaConnectionError, match=reason) as refusal:
        await ClientCredentials(by_url(server.url)).token()
    assert SECRET not in str(refusal.value)
    assert len(server.asked) == 1


async def test_an_endpoint_that_is_down_is_one_too() -> None:
    with pytest.raises(KafkaConnectionError, match="cannot be reached"):
        await ClientCredentials(by_url("http://127.0.0.1:1")).token()


async def test_a_renewed_file_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "token"
    provider = FileTokens(path)
    with pytest.raises(KafkaConnectionError, match="cannot be read"):
        await provider.token()
    path.write_text("first\n")
    assert await provider.token() == "first"
    path.write_text("second\n")
    assert await provider.token() == "second"
    path.write_text(" \n")
    with pytest.raises(KafkaConnectionError, match="holds no token"):
        await provider.token()


def test_the_settings_say_where_tokens_come_from(tmp_path: Path) -> None:
    base = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "OAUTHBEARER"}
    assert isinstance(kafka_tokens(load_settings(**base, kafka_oauth_token_file=tmp_path / "token")), FileTokens)
    assert isinstance(kafka_tokens(by_url("https://id.example/token")), ClientCredentials)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "KAFKA_OAUTH_TOKEN_FILE or KAFKA_OAUTH_TOKEN_URL must be set"),
        ({"kafka_oauth_token_file": "t", "kafka_oauth_token_url": "https://id.example/"}, "one of KAFKA_OAUTH_TOKEN_FILE and KAFKA_OAUTH_TOKEN_URL"),
        ({"kafka_oauth_token_url": "https://id.example/"}, "KAFKA_SASL_USERNAME must be set"),
        ({"kafka_oauth_token_url": "ftp://id.example/", "kafka_sasl_username": "voc"}, "KAFKA_OAUTH_TOKEN_URL"),
        ({"kafka_oauth_token_file": "t", "app_env": "stg", "kafka_security_protocol": "SASL_PLAINTEXT"}, "a token is never sent in the clear"),
        ({"kafka_oauth_token_url": "http://id.example/", "kafka_sasl_username": "voc", "app_env": "stg"}, "KAFKA_OAUTH_TOKEN_URL must be https"),
    ],
)
def test_contradictions_stop_the_start(given: dict[str, object], sentence: str) -> None:
    base = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "OAUTHBEARER", "pii_keys": f"k1:{'A' * 43}=", "pii_key_id": "k1"}
    with pytest.raises(SettingsError, match=sentence):
        load_settings(**base | given)
