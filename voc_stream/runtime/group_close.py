"""aiokafka's consumer, closed in a rebalance, waits for its end: for members that have a minute to join, or for a callback that waits itself.

Here it leaves the group instead. Its connection to the coordinator is closed first, since a broker answers nothing else on one where a join waits.
"""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import Any

from aiokafka.client import ConnectionGroup
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest

from voc_stream.logs import get_logger

logger = get_logger(__name__)

# A rebalance is mostly over by then, and what it was about need not be asked again.
JOIN_SECONDS = 2.0
LEAVE_SECONDS = 3.0
# Cancelling ends one wait; aiokafka's routine may begin another one.
CANCELS = 5
_CANCEL_SECONDS = 0.5


def leave_groups_in_time() -> None:
    """Let every consumer of this process leave its group within seconds, whatever the group is doing."""
    close = GroupCoordinator.close
    if hasattr(close, "__wrapped__"):
        return

    @wraps(close)
    async def in_time(self: Any) -> None:
        if self._closing.done():
            return
        self._closing.set_result(None)
        await asyncio.wait({self._coordination_task}, timeout=JOIN_SECONDS)
        if not self._coordination_task.done():
            await _break_off(self)
        await self._stop_heartbeat_task()
        await self._stop_commit_offsets_refresh_task()
        await _leave(self)

    GroupCoordinator.close = in_time


async def _break_off(coordinator: Any) -> None:
    logger.info("a rebalance is broken off to leave the group", group=coordinator.group_id)
    connection = coordinator._client._conns.get((coordinator.coordinator_id, ConnectionGroup.COORDINATION))  # noqa: SLF001 - it has no public name
    if connection is not None:
        connection.close()
    routine = coordinator._coordination_task  # noqa: SLF001
    for _ in range(CANCELS):
        if routine.done():
            return
        routine.cancel()
        await asyncio.wait({routine}, timeout=_CANCEL_SECONDS)


async def _leave(coordinator: Any) -> None:
    """Tell the broker, also of a membership that no generation knows yet; the group would else wait for it until its session is over."""
    if coordinator.member_id and coordinator._group_instance_id is None:  # noqa: SLF001
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await coordinator._send_req(LeaveGroupRequest[1](coordinator.group_id, coordinator.member_id))  # noqa: SLF001
        except (KafkaError, TimeoutError, OSError) as error:
            logger.info("the group was not left: it finds out by itself", group=coordinator.group_id, error=type(error).__name__)
    coordinator.reset_generation()
