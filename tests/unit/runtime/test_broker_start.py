"""A Kafka client's start waits for a broker, and for nothing else."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from voc_stream.runtime.broker_start import LONGEST_PAUSE, wait_for_broker


class Client:
    """Cannot be started as often as the test says."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.started = False
        self.hangs = False

    async def bootstrap(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        self.started = True


class Pauses:
    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await asyncio.sleep(0)


async def test_the_start_lasts_until_a_broker_answers_with_growing_pauses() -> None:
    client, pauses = Client(KafkaConnectionError(), ConnectionResetError(), TimeoutError(), *[KafkaConnectionError()] * 3), Pauses()
    wait_for_broker(client, lambda: False, sleep=pauses)
    await client.bootstrap()

    assert client.started
    assert pauses.asked == [0.5, 1.0, 2.0, 4.0, LONGEST_PAUSE, LONGEST_PAUSE]


async def test_an_error_that_is_not_kafka_s_ends_the_start() -> None:
    client = Client(ValueError("bad setting"))
    wait_for_broker(client, lambda: False)
    with pytest.raises(ValueError, match="bad setting"):
        await client.bootstrap()


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_worker_that_is_to_end_does_not_wait(hangs: bool) -> None:  # noqa: FBT001
    client = Client(KafkaConnectionError())
    client.hangs = hangs
    stopping = asyncio.Event()
    wait_for_broker(client, stopping.is_set)
    start = asyncio.create_task(client.bootstrap())
    await asyncio.sleep(0)
    stopping.set()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(30):
            await start

    assert not client.started
