"""How far the group is behind on a topic, asked of Kafka without joining the group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
    """

    partitions: int
    lag: int


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
        try:
            async with asyncio.timeout(2 * _TIMEOUT_SECONDS):
                tps = await self._partitions(topic)
                return TopicLoad(len(tps), await self._lag(tps) if tps else 0)
        except (KafkaError, TimeoutError) as error:
            raise OutageError(NAME, f"does not say how far the group is behind ({type(error).__name__})") from error

    async def _partitions(self, topic: str) -> list[TopicPartition]:
        (told,) = await self._admin.describe_topics([topic])
        return [TopicPartition(topic, part["partition"]) for part in told["partitions"]]

    async def _lag(self, tps: list[TopicPartition]) -> int:
        ends = await self._consumer.end_offsets(tps)
        told = await self._admin.list_consumer_group_offsets(self._group, partitions=tps)
        positions = {tp: found.offset for tp, found in told.items() if found.offset >= 0}
        positions |= await self._beginnings(tp for tp in tps if tp not in positions)
        return sum(max(0, ends[tp] - positions[tp]) for tp in tps)

    async def _beginnings(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where a group without an offset begins: everything there is, is before it."""
        missing = list(tps)
        return dict(await self._consumer.beginning_offsets(missing)) if missing else {}


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
