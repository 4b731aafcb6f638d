"""A consumer group as the broker sees it: who is in it, who has how many partitions, and how far behind it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from voc_stream.devstack.errors import StackError

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Members:
    """A look at a group.

    Attributes:
        stable: no rebalance is under way.
        shares: the number of partitions of each member.
    """

    stable: bool
    shares: Sequence[int]

    def spread(self, members: int, partitions: int) -> bool:
        """Whether so many members have all of so many partitions, and nobody more than a fair share, rounded up."""
        fair = -(-partitions // members)
        return self.stable and len(self.shares) == members and sum(self.shares) == partitions and max(self.shares) <= fair


@dataclass(frozen=True, slots=True)
class Join:
    """A member that came.

    Attributes:
        joined: when the broker first knew of it (`time.time`).
        spread: when the group was stable and each had its share.
    """

    joined: float
    spread: float

    @property
    def seconds(self) -> float:
        """What the group needed to spread its partitions anew."""
        return self.spread - self.joined


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group and the topics that matter.

    Attributes:
        partitions: of each topic.
    """

    bootstrap: Sequence[str]
    name: str
    topics: Sequence[str]
    partitions: int

    async def lag(self) -> int:
        """Return how many records are not committed."""
        consumer = AIOKafkaConsumer(bootstrap_servers=list(self.bootstrap), group_id=self.name, enable_auto_commit=False)
        try:
            await consumer.start()
            places = [TopicPartition(name, number) for name in self.topics for number in range(self.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            return sum([ends[place] - (await consumer.committed(place) or 0) for place in places])
        finally:
            await consumer.stop()

    async def until_spread(self, members: int, alive: Callable[[], None], patience_seconds: float) -> Join:
        """Wait until there are so many members, the new one included, and each has its share.

        Args:
            members: how many.
            alive: raises when a worker has ended.
            patience_seconds: from now.

        Raises:
            StackError: it is not so after so long.
        """
        joined: float | None = None
        found: Members | None = None
        deadline = time.monotonic() + patience_seconds
        async with _admin(self.bootstrap) as admin:
            while time.monotonic() < deadline:
                alive()
                found = await self._look(admin)
                if joined is None and len(found.shares) >= members:
                    joined = time.time()
                if joined is not None and found.spread(members, self.partitions * len(self.topics)):
                    return Join(joined, time.time())
                await asyncio.sleep(_LOOK_SECONDS)
        raise StackError(f"the partitions of {self.name} are not spread over {members} members after {patience_seconds:.0f} s: {found}")

    async def _look(self, admin: AIOKafkaAdminClient) -> Members:
        (answer,) = await admin.describe_consumer_groups([self.name])
        _, _, state, _, _, members, *_ = answer.groups[0]
        return Members(state == "Stable", [count(member[4], self.topics) for member in members])


def count(assignment: bytes, topics: Sequence[str]) -> int:
    """Return how many partitions of these topics an assignment has, as a member got it; 0 for one that has none yet."""
    if not assignment:
        return 0
    decoded: Any = ConsumerProtocolMemberAssignment.decode(assignment)
    return sum(len(partitions) for topic, partitions in decoded.assignment if topic in topics)


@asynccontextmanager
async def _admin(bootstrap: Sequence[str]) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=list(bootstrap))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
