"""A dead-letter topic that is gone: what cannot be dead-lettered is not acknowledged, and all else goes on (fault 10)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.integration.runtime.harness import Harness

pytestmark = pytest.mark.chaos
PATIENCE = 90.0


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.2)


async def write(harness: Harness, value: bytes, partition: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=harness.bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(harness.topic, value, partition=partition)
    finally:
        await producer.stop()


async def letters(harness: Harness) -> list[bytes]:
    consumer = AIOKafkaConsumer(f"{harness.topic}.dlq", bootstrap_servers=harness.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(PATIENCE):
            return [(await consumer.getone()).value]
    finally:
        await consumer.stop()


async def test_the_offset_stays_before_a_record_whose_dead_letter_cannot_be_written_until_its_topic_is_back(harness: Harness) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=harness.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([f"{harness.topic}.dlq"])
        await write(harness, b"this is no value", 0)
        names = await harness.produce(range(1))
        worker = await harness.start()
        # In partition 0 the good record lies behind the bad one.
        names = {"0:1", *names - {"0:0"}}
        await harness.copied(names)

        async def it_says_so() -> bool:
            return any("a dead letter cannot be written" in line for line in worker.complaints)

        async def others_are_committed() -> bool:
            return (await harness.committed()) | {0: 0} == {0: 0, 1: 1, 2: 1, 3: 1}

        await until(it_says_so)
        await until(others_are_committed)
        assert (await harness.committed()).get(0, 0) == 0

        await admin.create_topics([NewTopic(f"{harness.topic}.dlq", harness.partitions, 1)])

        async def all_is_committed() -> bool:
            return (await harness.committed()).get(0, 0) == 2

        await until(all_is_committed)
        assert await letters(harness) == [b"this is no value"]
    finally:
        await admin.close()
