"""A consumer that is closed in the middle of a rebalance leaves its group within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaConnectionError

from voc_stream.runtime import group_close
from voc_stream.runtime.group_close import leave_groups_in_time


class Group:
    """A coordinator whose routine does what it is told, on a broker in memory.

    Attributes:
        left: the members that left, in order.
    """

    def __init__(self, routine: Callable[[], Awaitable[None]]) -> None:
        self.left: list[str] = []
        self.broken: Exception | None = None
        self.join: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        connection = SimpleNamespace(close=self._disconnect)
        self.coordinator: Any = object.__new__(GroupCoordinator)
        vars(self.coordinator).update(
            group_id="group",
            member_id="member",
            coordinator_id=1,
            generation=-1,
            _group_instance_id=None,
            _closing=asyncio.get_running_loop().create_future(),
            _coordination_task=asyncio.ensure_future(routine()),
            _heartbeat_task=None,
            _commit_refresh_task=None,
            _rejoin_needed_fut=asyncio.get_running_loop().create_future(),
            _client=SimpleNamespace(_conns={(1, ConnectionGroup.COORDINATION): connection}),
            _send_req=self._send,
        )

    def _disconnect(self) -> None:
        self.join.set_exception(KafkaConnectionError())

    async def _send(self, request: Any) -> None:
        if self.broken is not None:
            raise self.broken
        self.left.append(request.member_id)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_groups_in_time()
    leave_groups_in_time()
    monkeypatch.setattr(group_close, "JOIN_SECONDS", 0.01)
    monkeypatch.setattr(group_close, "_CANCEL_SECONDS", 0.01)


async def test_a_join_that_others_keep_waiting_is_broken_off_and_the_group_left() -> None:
    async def joining() -> None:
        with pytest.raises(KafkaConnectionError):
            await group.join

    group = Group(joining)
    await asyncio.sleep(0)
    await group.coordinator.close()

    assert group.join.done()
    assert group.left == ["member"]


async def test_a_callback_that_waits_for_ever_is_abandoned_though_one_wait_swallows_its_cancellation() -> None:
    async def waiting() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    group = Group(waiting)
    await asyncio.sleep(0)
    await group.coordinator.close()

    assert group.coordinator._coordination_task.cancelled()
    assert group.left == ["member"]


async def test_a_group_at_rest_is_left_at_once_and_once() -> None:
    async def resting() -> None:
        await group.coordinator._closing

    group = Group(resting)
    await group.coordinator.close()
    await group.coordinator.close()

    assert not group.join.done()
    assert group.left == ["member"]


async def test_a_broker_that_is_gone_does_not_hold_up_the_close() -> None:
    async def resting() -> None:
        await group.coordinator._closing

    group = Group(resting)
    group.broken = KafkaConnectionError()
    await group.coordinator.close()

    assert group.left == []
