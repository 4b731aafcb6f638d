"""How far the group is behind on a topic, asked of Kafka without joining the group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from voc_stream.errors import OutageError
from voc_stream.settings import Settings
from voc_stream.topic_admin import NAME, kafka_security

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class TopicLoad:
    """A topic as it is now.

    Attributes:
        partitions: how many; 0: there is no such topic.
        lag: records that the group has not committed.
        done: where the group is, all partitions' offsets together: what it grows by was worked off.
    """

    partitions: int
    lag: int
    done: int = field(default=0, compare=False)


class TopicLoads:
    """Asks Kafka; see `topic_loads`."""

    def __init__(self, group: str, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> None:
        self._group = group
        self._admin = admin
        self._consumer = consumer

    async def of(self, topic: str) -> TopicLoad:
        """Return a topic's load.

        Raises:
            OutageError: Kafka does not answer.
        """
        return (await self.all([topic]))[topic]

    async def all(self, topics: Collection[str]) -> dict[str, TopicLoad]:
        """Return the loads of topics, asked for together.

        Raises:
            OutageError: Kafka does not answer.
        """
        try:
            async with asyncio.timeout(2 * _TIMEOUT_SECONDS):
                told = await self._admin.describe_topics(list(topics))
                tps = {each["topic"]: [TopicPartition(each["topic"], part["partition"]) for part in each["partitions"]] for each in told}
                ends, positions = await self._progress([tp for them in tps.values() for tp in them])
        except (KafkaError, TimeoutError) as error:
            raise OutageError(NAME, f"does not say how far the group is behind ({type(error).__name__})") from error
        return {topic: _load(tps.get(topic, []), ends, positions) for topic in topics}

    async def _progress(self, tps: list[TopicPartition]) -> tuple[Mapping[TopicPartition, int], Mapping[TopicPartition, int]]:
        """Return where partitions end, and where the group is in them."""
        if not tps:
            return {}, {}
        ends = await self._consumer.end_offsets(tps)
        told = await self._admin.list_consumer_group_offsets(self._group, partitions=tps)
        positions = {tp: found.offset for tp, found in told.items() if found.offset >= 0}
        return ends, positions | await self._beginnings(tp for tp in tps if tp not in positions)

    async def _beginnings(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where a group without an offset begins: everything there is, is before it."""
        missing = list(tps)
        return dict(await self._consumer.beginning_offsets(missing)) if missing else {}


def _load(tps: Collection[TopicPartition], ends: Mapping[TopicPartition, int], positions: Mapping[TopicPartition, int]) -> TopicLoad:
    lag = sum(max(0, ends[tp] - positions[tp]) for tp in tps)
    return TopicLoad(len(tps), lag, sum(positions[tp] for tp in tps))


@asynccontextmanager
async def topic_loads(settings: Settings) -> AsyncIterator[TopicLoads]:
    """Lend a connection to Kafka that tells loads.

    Args:
        settings: KAFKA_*.

    Raises:
        OutageError: Kafka cannot be reached.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.kafka_bootstrap),
        "request_timeout_ms": int(_TIMEOUT_SECONDS * 1000),
        **kafka_security(settings),
    }
    admin, consumer = AIOKafkaAdminClient(**options), AIOKafkaConsumer(enable_auto_commit=False, **options)
    try:
        try:
            async with asyncio.timeout(2 * _TIMEOUT_SECONDS):
                await admin.start()
                await consumer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            raise OutageError(NAME, f"cannot be reached ({type(error).__name__})") from error
        yield TopicLoads(settings.kafka_group_id, admin, consumer)
    finally:
        await consumer.stop()
        await admin.close()
