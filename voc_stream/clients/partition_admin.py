"""Kafka's side of growing partitions: how many there are, who is in the group, and more of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.errors import GroupCoordinatorNotAvailableError, GroupLoadInProgressError, KafkaError, NotCoordinatorForGroupError
from aiokafka.partitioner import DefaultPartitioner

from voc_stream.errors import OutageError, RejectedError
from voc_stream.settings import Settings
from voc_stream.topic_admin import NAME, kafka_security

TIMEOUT_SECONDS = 30.0
# Until every broker knows of new partitions.
_SETTLE_SECONDS = 30.0
_LOOK_SECONDS = 0.1
# A group has a coordinator soon, or another one.
_SOON = frozenset(error.errno for error in (GroupLoadInProgressError, GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError))

_default = DefaultPartitioner()


def partition_of(key: bytes, count: int) -> int:
    """Return where our own producers write a key: murmur2 of Kafka's Java client."""
    return int(_default(key, range(count), range(count)))


class PartitionAdmin:
    """Asks and orders; see `partition_admin`. Its methods raise `OutageError` where Kafka does not answer."""

    def __init__(self, admin: Any) -> None:
        self._admin = admin

    async def counts(self, topics: Collection[str]) -> dict[str, int]:
        """Return how many partitions topics have, 0 where there is no such topic."""
        with _translated():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                told = await self._admin.describe_topics(list(topics))
        found = {each["topic"]: len(each["partitions"]) for each in told if each["error_code"] == 0}
        return {topic: found.get(topic, 0) for topic in topics}

    async def members(self, group: str) -> int:
        """Return how many are in a group."""
        with _translated():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                groups = await self._described(group)
        if error := next((each["error_code"] for each in groups if each["error_code"]), 0):
            raise OutageError(NAME, f"does not say who is in the group {group} (error {error})")
        return sum(len(each["members"]) for each in groups)

    async def _described(self, group: str) -> list[dict[str, Any]]:
        while True:
            try:
                answers = await self._admin.describe_consumer_groups([group])
            except GroupCoordinatorNotAvailableError:  # a cluster's first group has none for some seconds
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            groups = [each for answer in answers for each in answer.to_object()["groups"]]
            if not any(each["error_code"] in _SOON for each in groups):
                return groups
            await asyncio.sleep(_LOOK_SECONDS)

    async def grow(self, wanted: Mapping[str, int]) -> None:
        """Give topics more partitions; those that have so many are left alone. Done when the brokers tell of them.

        Raises:
            RejectedError: Kafka refuses.
        """
        there = await self.counts(wanted)
        more = {topic: NewPartitions(count) for topic, count in wanted.items() if there[topic] < count}
        if more:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await self._admin.create_partitions(more)
            except KafkaError as error:
                raise RejectedError(NAME, f"gives no more partitions: {error}") from error
            except TimeoutError as error:
                raise OutageError(NAME, "no answer in time") from error
        deadline = asyncio.get_running_loop().time() + _SETTLE_SECONDS
        while not await self._have(wanted):
            if asyncio.get_running_loop().time() > deadline:
                raise OutageError(NAME, "new partitions are not there yet; run the same command again")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _have(self, wanted: Mapping[str, int]) -> bool:
        found = await self.counts(wanted)
        return all(found[topic] >= count for topic, count in wanted.items())


@asynccontextmanager
async def partition_admin(settings: Settings) -> AsyncIterator[PartitionAdmin]:
    """Lend a connection.

    Args:
        settings: KAFKA_*.

    Raises:
        OutageError: Kafka cannot be reached.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=list(settings.kafka_bootstrap),
        client_id="voc-stream-partitions",
        request_timeout_ms=int(TIMEOUT_SECONDS * 1000),
        **kafka_security(settings),
    )
    try:
        with _translated():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await admin.start()
        yield PartitionAdmin(admin)
    finally:
        await admin.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise OutageError(NAME, f"does not answer ({type(error).__name__})") from error
