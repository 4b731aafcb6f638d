"""While Kafka is down its clients must not spin."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.client import AIOKafkaClient

from voc_stream.runtime.metadata_pace import PAUSE_SECONDS, pace_metadata

NOBODY = "127.0.0.1:1"


async def test_an_update_that_fails_is_followed_by_a_pause_and_one_that_succeeds_is_not() -> None:
    client = AIOKafkaClient(bootstrap_servers=NOBODY)
    answers = [False, False, True]
    pauses: list[float] = []

    async def update(*_: Any) -> bool:
        await asyncio.sleep(0)
        return answers.pop(0)

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)
        pauses.append(seconds)

    client._metadata_update = update
    pace_metadata(client, sleep=sleep)

    assert [await client._metadata_update(client.cluster, []) for _ in range(3)] == [False, False, True]
    assert pauses == [PAUSE_SECONDS, PAUSE_SECONDS]


async def test_a_client_of_aiokafka_s_still_goes_through_the_name_that_is_paced() -> None:
    client = AIOKafkaClient(bootstrap_servers=NOBODY)
    asked: list[Any] = []

    async def update(*args: Any) -> bool:
        await asyncio.sleep(0)
        asked.append(args)
        return True

    client._metadata_update = update
    synchronizer = asyncio.create_task(client._md_synchronizer())
    assert await client.force_metadata_update() is True
    synchronizer.cancel()

    assert len(asked) == 1
