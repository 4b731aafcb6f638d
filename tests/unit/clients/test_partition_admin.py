"""Kafka's side of growing partitions, where the broker answers as brokers do."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.admin import NewPartitions
from aiokafka.errors import GroupCoordinatorNotAvailableError, InvalidPartitionsError
from aiokafka.protocol.admin import DescribeGroupsResponse_v3

from voc_stream.clients.partition_admin import PartitionAdmin, partition_of
from voc_stream.errors import OutageError, RejectedError

MEMBER = ("m", "client", "host", b"", b"")


class Broker:
    """Topics and their partitions; a group whose coordinator is found at the third question."""

    def __init__(self, **counts: int) -> None:
        self.topics = counts
        self.members = 1
        self.error = 0
        self.soon: list[int] = []
        self.asked = 0
        self.refuses = False

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [{"topic": name, "error_code": 0 if name in self.topics else 3, "partitions": [{}] * self.topics.get(name, 0)} for name in names]

    async def create_partitions(self, more: dict[str, NewPartitions]) -> None:
        if self.refuses:
            raise InvalidPartitionsError("Topic has a policy.")
        self.topics |= {name: wanted.total_count for name, wanted in more.items()}

    async def describe_consumer_groups(self, groups: list[str]) -> list[Any]:
        self.asked += 1
        if self.asked < 3:
            raise GroupCoordinatorNotAvailableError
        (name,) = groups
        error = self.soon.pop() if self.soon else self.error
        described = (error, name, "Stable", "consumer", "faust", [MEMBER] * self.members, -1)
        return [DescribeGroupsResponse_v3(throttle_time_ms=0, groups=[described])]


async def test_the_members_are_counted_as_soon_as_the_group_has_a_coordinator() -> None:
    broker = Broker()
    broker.members = 2
    assert await PartitionAdmin(broker).members("voc-processor") == 2
    assert broker.asked == 3


@pytest.mark.parametrize("error", [14, 15, 16], ids=["loading", "none", "another"])
async def test_a_coordinator_that_is_not_ready_is_asked_again(error: int) -> None:
    broker = Broker()
    broker.soon = [error] * 2
    assert await PartitionAdmin(broker).members("voc-processor") == 1
    assert broker.asked == 5


async def test_a_group_that_must_not_be_looked_at_is_no_empty_group() -> None:
    broker = Broker()
    broker.error = 30
    with pytest.raises(OutageError, match=r"does not say who is in the group voc-processor \(error 30\)"):
        await PartitionAdmin(broker).members("voc-processor")


async def test_what_has_enough_is_left_alone_and_what_is_not_there_has_none() -> None:
    broker = Broker(small=2, large=6)
    admin = PartitionAdmin(broker)
    await admin.grow({"small": 4, "large": 4})
    assert broker.topics == {"small": 4, "large": 6}
    assert await admin.counts(["small", "gone"]) == {"small": 4, "gone": 0}


async def test_a_refusal_tells_the_broker_s_reason() -> None:
    broker = Broker(small=2)
    broker.refuses = True
    with pytest.raises(RejectedError, match=r"gives no more partitions: .*Topic has a policy"):
        await PartitionAdmin(broker).grow({"small": 4})


def test_a_key_goes_where_kafka_s_java_client_writes_it() -> None:
    # From org.apache.kafka.common.utils.UtilsTest: murmur2 of "21" is -973932308, of "foobar" -790332482.
    assert partition_of(b"21", 1000) == (-973932308 & 0x7FFFFFFF) % 1000
    assert partition_of(b"foobar", 24) == (-790332482 & 0x7FFFFFFF) % 24
