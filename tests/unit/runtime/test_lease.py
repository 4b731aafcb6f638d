"""The lease: what the group's coordinator confirmed, and when that was asked for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from voc_stream.runtime.lease import Lease


class HeartbeatRequest_v1(SimpleNamespace):  # noqa: N801 - named as aiokafka's
    pass


class SyncGroupRequest_v3(SimpleNamespace):  # noqa: N801
    pass


class OffsetCommitRequest_v2(SimpleNamespace):  # noqa: N801
    pass


class Scene:
    def __init__(self) -> None:
        self.now, self.takes, self.error = 100.0, 0.0, 0
        self.lease = Lease(10.0, clock=lambda: self.now, sleep=self._sleep)
        self.coordinator: Any = SimpleNamespace(_send_req=self._answer)
        self.lease.watch(self.coordinator)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    async def _answer(self, _request: Any) -> Any:
        self.now += self.takes
        return SimpleNamespace(error_code=self.error)

    async def ask(self, kind: type[SimpleNamespace] = HeartbeatRequest_v1, generation: int = 3) -> None:
        await self.coordinator._send_req(kind(generation_id=generation))


@pytest.mark.parametrize("kind", [HeartbeatRequest_v1, SyncGroupRequest_v3])
async def test_a_confirmed_sign_of_life_holds_for_a_session_from_when_it_was_sent(kind: type[SimpleNamespace]) -> None:
    scene = Scene()
    scene.takes = 4.0
    assert not scene.lease.holds(3)
    await scene.ask(kind)
    assert scene.lease.holds(3)
    scene.now = 109.9
    assert scene.lease.holds(3)
    scene.now = 110.0
    assert not scene.lease.holds(3)


async def test_a_heartbeat_that_is_answered_by_an_error_or_another_request_proves_nothing() -> None:
    scene = Scene()
    await scene.ask(OffsetCommitRequest_v2)
    scene.error = 27
    await scene.ask()
    assert not scene.lease.holds(3)


async def test_another_generation_s_sign_is_not_ours_and_a_newer_one_s_ends_the_waiting() -> None:
    scene = Scene()
    await scene.ask(generation=4)
    assert not scene.lease.holds(3)
    assert await scene.lease.held(3) is False
    assert await scene.lease.held(4) is True


async def test_while_the_brokers_are_silent_the_lease_is_waited_for() -> None:
    scene = Scene()
    await scene.ask()
    scene.now += 60
    waiting = asyncio.create_task(scene.lease.held(3))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    await scene.ask()
    assert await waiting is True
