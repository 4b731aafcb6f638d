"""`faust -A voc_stream topics` on a real Kafka: created, then verified, then a difference reported."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from voc_stream import topic_admin
from voc_stream.settings import Settings
from voc_stream.topics import Topic, all_topics


@pytest.fixture
async def wanted(settings: Settings) -> AsyncIterator[list[Topic]]:
    """A few topics of every kind under names of this test's own; removed at the end."""
    prefix = f"test-{uuid.uuid4().hex[:8]}-"
    kinds = {(topic.cleanup, topic.retention_seconds): topic for topic in all_topics(settings)}
    topics = [replace(topic, name=prefix + topic.name) for topic in kinds.values()]
    yield topics
    admin = AIOKafkaAdminClient(bootstrap_servers=list(settings.kafka_bootstrap))
    await admin.start()
    await admin.delete_topics([topic.name for topic in topics])
    await admin.close()


async def test_created_then_verified_then_a_difference_is_reported(settings: Settings, wanted: list[Topic], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(topic_admin, "all_topics", lambda _settings: tuple(wanted))
    assert await topic_admin.run(settings, said.append) == 0
    assert said[-1] == f"topics: {len(wanted)} wanted, {len(wanted)} created, 0 differences"

    assert await topic_admin.run(settings, said.append) == 0
    assert said[-1] == f"topics: {len(wanted)} wanted, 0 created, 0 differences"

    other = replace(wanted[0], partitions=wanted[0].partitions + 1, retention_seconds=60, max_message_bytes=2048)
    monkeypatch.setattr(topic_admin, "all_topics", lambda _settings: (other, *wanted[1:]))
    assert await topic_admin.run(settings, said.append) == 1
    assert said[-4:] == [
        f"{other.name}: partitions is {wanted[0].partitions}, expected {other.partitions}",
        f"{other.name}: max.message.bytes is {wanted[0].max_message_bytes}, expected 2048",
        f"{other.name}: retention.ms is {(wanted[0].retention_seconds or 0) * 1000}, expected 60000",
        f"topics: {len(wanted)} wanted, 0 created, 3 differences (nothing altered)",
    ]


async def test_more_replicas_than_brokers_are_refused_in_one_line(settings: Settings, wanted: list[Topic], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(topic_admin, "all_topics", lambda _settings: (wanted[0],))
    assert await topic_admin.run(settings.model_copy(update={"kafka_replication": 3}), said.append) == 2
    assert len(said) == 1
    assert "InvalidReplicationFactorError" in said[0]


async def test_a_kafka_that_is_down_is_one_line(settings: Settings) -> None:
    said: list[str] = []
    assert await topic_admin.run(settings.model_copy(update={"kafka_bootstrap": ("127.0.0.1:1",)}), said.append) == 2
    assert said == ["kafka: cannot be reached at 127.0.0.1:1 (KafkaConnectionError)"]
