"""The broker as a client sees it."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from voc_stream.devstack.stack import Stack

PARTITIONS = 2


@pytest.fixture
def bootstrap(stack: Stack) -> str:
    return stack.endpoints["KAFKA_BOOTSTRAP"]


@pytest.fixture
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def topic(admin: AIOKafkaAdminClient) -> AsyncIterator[str]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    yield name
    await admin.delete_topics([name])


async def test_records_go_through_a_topic_that_was_made(bootstrap: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type="lz4") as producer:
        await producer.send_and_wait(topic, b"value", key=b"key", partition=1)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 1)])
        record = await consumer.getone()
    assert (record.key, record.value, record.offset) == (b"key", b"value", 0)


async def test_a_topic_is_not_made_by_asking_for_it(admin: AIOKafkaAdminClient) -> None:
    name = f"never-{uuid.uuid4().hex[:8]}"
    await admin.describe_topics([name])
    assert name not in await admin.list_topics()


@pytest.mark.skipif("DEVSTACK_KAFKA" not in os.environ, reason="run on each Kafka by make test-kafka-versions")
async def test_of_transactions_only_what_was_committed_is_read(bootstrap: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic, compression_type="lz4") as producer:
        for value in (b"aborted", b"committed"):
            await producer.begin_transaction()
            for partition in range(PARTITIONS):
                await producer.send_and_wait(topic, value, partition=partition)
            await (producer.commit_transaction() if value == b"committed" else producer.abort_transaction())
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level="read_committed") as consumer:
        consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
        read = [await consumer.getone() for _ in range(PARTITIONS)]
    assert [record.value for record in read] == [b"committed"] * PARTITIONS
    assert {record.partition for record in read} == set(range(PARTITIONS))
