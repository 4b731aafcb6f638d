"""How far a group is behind, as Kafka tells one who is not of the group."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import OffsetAndMetadata

from voc_stream.clients.topic_load import TopicLoad, topic_loads
from voc_stream.errors import OutageError
from voc_stream.settings import Settings


@pytest.fixture
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=list(settings.kafka_bootstrap))
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def topic(admin: AIOKafkaAdminClient) -> AsyncIterator[str]:
    name = f"load-{uuid.uuid4().hex[:8]}"
    await admin.create_topics([NewTopic(name, 3, 1)])
    yield name
    await admin.delete_topics([name])


async def write(settings: Settings, topic: str, partition: int, count: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=list(settings.kafka_bootstrap)) as producer:
        for _ in range(count):
            await producer.send_and_wait(topic, b"x", partition=partition)


async def commit(settings: Settings, topic: str, partition: int, offset: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=list(settings.kafka_bootstrap), group_id=topic, enable_auto_commit=False)
    async with consumer:
        consumer.assign([TopicPartition(topic, partition)])
        await consumer.commit({TopicPartition(topic, partition): OffsetAndMetadata(offset, "")})


async def test_lag_is_what_is_not_committed_and_without_a_commit_all_that_is_there(
    settings: Settings, topic: str, admin: AIOKafkaAdminClient
) -> None:
    await write(settings, topic, 0, 10)
    await write(settings, topic, 2, 5)
    async with topic_loads(settings.model_copy(update={"kafka_group_id": topic})) as loads:
        assert await loads.of(topic) == TopicLoad(partitions=3, lag=15)
        await commit(settings, topic, 0, 9)
        assert (await loads.of(topic)).lag == 1 + 5
        await admin.delete_records({TopicPartition(topic, 2): RecordsToDelete(before_offset=3)})
        assert (await loads.of(topic)).lag == 1 + 2
        await commit(settings, topic, 0, 10)
        await commit(settings, topic, 2, 5)
        assert (await loads.of(topic)).lag == 0


async def test_a_topic_that_is_not_there_has_no_partitions(settings: Settings) -> None:
    async with topic_loads(settings) as loads:
        assert await loads.of(f"never-{uuid.uuid4().hex}") == TopicLoad(partitions=0, lag=0)


async def test_nobody_at_the_address_is_an_outage(settings: Settings) -> None:
    with pytest.raises(OutageError, match="kafka: cannot be reached"):
        async with topic_loads(settings.model_copy(update={"kafka_bootstrap": ("127.0.0.1:1",)})):
            pass
