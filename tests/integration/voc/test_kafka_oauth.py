"""Kafka by signed tokens (SASL OAUTHBEARER): of a token endpoint and of a file, also when connections end with them (docs/kafka-security.md)."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.integration.voc.line import Line
from tests.integration.voc.secure_kafka import AUDIENCE, USER, SecureKafka, secure_kafka
from tests.integration.voc.test_kafka_security import as_client, send, topics
from tests.oidc import claims, rsa_key, signed
from tests.unit.clients.http_server import Scripted, scripted_server
from tests.voc import action_value

LIFE_SECONDS = 8

pytestmark = pytest.mark.skipif("DEVSTACK_KAFKA" not in os.environ, reason="run on each Kafka by make test-kafka-versions")


def token(**changes: Any) -> str:
    now = int(time.time())
    return signed(claims(**{"sub": USER, "aud": AUDIENCE, "scope": "kafka", "iat": now, "exp": now + LIFE_SECONDS} | changes), rsa_key())


@pytest.fixture
async def endpoint() -> AsyncIterator[Scripted]:
    """Gives tokens that soon end."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"access_token": token(), "token_type": "Bearer", "expires_in": LIFE_SECONDS})

    async with scripted_server() as script:
        script.answer = answer
        yield script


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[SecureKafka]:
    folder = tmp_path / "secure-kafka"
    folder.mkdir()
    async with secure_kafka(folder, tokens=True) as running:
        yield running


async def test_a_worker_goes_on_while_its_connections_end_with_their_tokens(
    line: Line, broker: SecureKafka, endpoint: Scripted, tmp_path: Path
) -> None:
    own = line.settings.model_copy(update={"kafka_group_id": line.name, "kafka_topics": (line.topic,)})
    by_endpoint = broker.by_token(KAFKA_OAUTH_TOKEN_URL=endpoint.url, KAFKA_SASL_USERNAME=USER, KAFKA_SASL_PASSWORD="the client's secret")
    file = tmp_path / "token"
    by_file = as_client(own, broker.by_token(KAFKA_OAUTH_TOKEN_FILE=str(file)))

    assert (await topics(as_client(own, by_endpoint)))[0] == 0, "an administrator's client creates the topics by a token of the endpoint"
    file.write_text(token(exp=int(time.time()) + 300))
    assert (await topics(by_file))[0] == 0, "and finds them by the file's"
    for wrong in (
        "not-a-token",
        token(aud="somebody else"),
        token(exp=int(time.time()) - 300),
        signed(claims(sub=USER, aud=AUDIENCE), rsa_key("strange")),
    ):
        file.write_text(wrong)
        code, lines = await topics(by_file)
        assert code == 2, wrong
        assert len(lines) == 1, "one line says it"
        assert wrong not in lines[0]

    worker = await line.started(**by_endpoint)
    await send(as_client(own, by_endpoint), line.topic, [action_value(number, tenant_id=line.name) for number in range(20)])
    await line.until_stored(20)
    asked = len(endpoint.asked)

    async def renewed() -> bool:
        return len(endpoint.asked) >= asked + 3

    await line.until(lambda: "tokens are asked for again", renewed)
    await send(as_client(own, by_endpoint), line.topic, [action_value(number, tenant_id=line.name) for number in range(20, 40)])
    rows = await line.until_stored(40)

    assert len(rows) == 40
    assert "the client's secret" not in worker.log.read_text()
    assert await asyncio.to_thread(worker.stop) == 0
