"""Kafka by TLS, with SCRAM or with certificates: every client of ours gets in so, and nobody gets in otherwise (docs/kafka-security.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from tests.integration.voc.line import Line
from tests.integration.voc.secure_kafka import SecureKafka, secure_kafka
from tests.voc import action_value
from voc_stream import topic_admin
from voc_stream.settings import Settings


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[SecureKafka]:
    folder = tmp_path / "secure-kafka"
    folder.mkdir()
    async with secure_kafka(folder) as running:
        yield running


def as_client(settings: Settings, environment: dict[str, str]) -> Settings:
    """Return the settings as that environment would have them."""
    return Settings.model_validate(settings.model_dump() | {name.lower(): value for name, value in environment.items()})


async def topics(settings: Settings) -> tuple[int, list[str]]:
    lines: list[str] = []
    return await topic_admin.run(settings, lines.append), lines


async def test_a_worker_stores_what_came_by_tls_with_scram_and_a_certificate_opens_the_other_door(line: Line, broker: SecureKafka) -> None:
    own = line.settings.model_copy(update={"kafka_group_id": line.name, "kafka_topics": (line.topic,)})
    by_scram = as_client(own, broker.by_scram())

    assert (await topics(by_scram))[0] == 0, "an administrator's client creates the topics by SCRAM"
    assert (await topics(as_client(own, broker.by_certificate())))[0] == 0, "and finds them by its certificate"
    for code, lines in (
        await topics(as_client(own, broker.by_scram(password="not-the-password"))),
        await topics(as_client(own, broker.by_certificate("stranger"))),
        await topics(as_client(own, broker.by_scram() | {"KAFKA_SECURITY_PROTOCOL": "SSL"})),
    ):
        assert code == 2
        assert len(lines) == 1, "one line says it"
        assert "kafka" in lines[0]
        assert "not-the-password" not in lines[0]

    worker = await line.started(**broker.by_scram())
    values = [action_value(number, tenant_id=line.name) for number in range(20)]
    await send(by_scram, line.topic, [*values, b"not JSON"])
    rows = await line.until_stored(20)

    assert {row["tenant_id"] for row in rows} == {line.name}
    assert broker.password not in worker.log.read_text()
    assert await asyncio.to_thread(worker.stop) == 0


async def send(settings: Settings, topic: str, values: list[bytes]) -> None:
    options: dict[str, Any] = topic_admin.kafka_security(settings)
    producer = AIOKafkaProducer(bootstrap_servers=list(settings.kafka_bootstrap), acks="all", **options)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()
