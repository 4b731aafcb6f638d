"""How surely this worker still owns its partitions: the group's coordinator hands them on no sooner than a session after our last sign of life.

A worker that was stopped, or whose loop hung, may have lost them without knowing. The moment that counts is when the last request was
*sent* to which the coordinator said yes, by a clock that goes on while the machine sleeps.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

Clock = Callable[[], float]


def boot_seconds() -> float:
    """Seconds since the machine was started, those that it slept through included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Sign(NamedTuple):
    """The coordinator answered, in this generation, a request that was sent at this time."""

    generation: int
    sent: float


class Lease:
    """Tells whether a generation is still ours; written by the consumer's thread, read by the event loop.

    Args:
        session: seconds after which the coordinator gives a silent worker's partitions to others.
        clock: seconds; replaced in tests.
        sleep: how to wait; replaced in tests.
    """

    def __init__(self, session: float = 10.0, *, clock: Clock = boot_seconds, sleep: Callable[[float], Any] = asyncio.sleep) -> None:
        self._session = session
        self._clock = clock
        self._sleep = sleep
        self._sign = Sign(-1, float("-inf"))

    @property
    def last_sign(self) -> Sign:
        """Return the last one: another than before tells that the coordinator still answers us."""
        return self._sign

    def holds(self, generation: int) -> bool:
        """Whether nobody else can own the partitions of this generation now."""
        sign = self._sign
        return sign.generation == generation and self._clock() - sign.sent < self._session

    async def held(self, generation: int) -> bool:
        """Wait for a sign of life that makes it sure; False once a newer generation began. While the brokers are down, neither comes."""
        while not self.holds(generation):
            if self._sign.generation > generation:
                return False
            await self._sleep(0.05)
        return True

    def watch(self, coordinator: Any) -> None:
        """Note every heartbeat and every joining that the coordinator confirms.

        Args:
            coordinator: aiokafka's GroupCoordinator; all its requests go through one method.
        """
        send = coordinator._send_req  # noqa: SLF001 - it has no public name

        async def noted(request: Any) -> Any:
            sent = self._clock()
            response = await send(request)
            if type(request).__name__.startswith(("HeartbeatRequest", "SyncGroupRequest")) and response.error_code == 0:
                # A heartbeat during a rebalance is answered by an error: others may get the partitions as soon as that ends.
                self._sign = Sign(request.generation_id, sent)
            return response

        coordinator._send_req = noted  # noqa: SLF001
