"""Waiting that a stop or a rebalance may end at once: for records, for a closed gate, for a sign of life."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from voc_stream.errors import OutageError, OutsideError, RejectedError, ThrottledError, TransientError
from voc_stream.logs import get_logger
from voc_stream.runtime.gate import Gate
from voc_stream.stages.delivery import AbandonedError

logger = get_logger(__name__)
T = TypeVar("T")

# What a dependency may be made to wait for; all else is a bug of ours.
PASSING = (OutageError, ThrottledError, TransientError)


class Patience:
    """Of one task.

    Args:
        gates: by dependency.
        sleep: how to wait; replaced in tests.

    Attributes:
        stopping: nothing more may be waited for.
        waiting: whether the task only waits, so that nothing is lost by ending it.
    """

    def __init__(self, gates: Mapping[str, Gate], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._gates = gates
        self._sleep = sleep
        self._failed: set[str] = set()
        self.stopping = False
        self.waiting = False

    async def wait(self, awaited: Coroutine[Any, Any, T]) -> T:
        """Wait for something that may take for ever.

        Raises:
            AbandonedError: a stop or a rebalance has begun.
        """
        if self.stopping:
            awaited.close()
            raise AbandonedError
        self.waiting = True
        try:
            return await awaited
        finally:
            self.waiting = False

    async def rest(self, seconds: float) -> None:
        """Wait some seconds."""
        await self.wait(_pause(self._sleep, seconds))

    async def open(self, dependency: str) -> None:
        """Wait until a dependency's gate is open."""
        gate = self._gates[dependency]
        if not gate.is_open:
            await self.wait(gate.passed())

    def succeeded(self, dependency: str) -> None:
        """Note that a dependency served us."""
        self._failed.discard(dependency)
        self._gates[dependency].succeeded()

    async def outlast(self, error: OutsideError) -> None:
        """Wait before trying again: a moment after the first failure, then until the dependency's gate opens.

        Raises:
            OutsideError: the error itself, if it is of nothing that has a gate.
        """
        gate = self._gates.get(error.dependency)
        if gate is None:
            raise error
        if gate.is_open and isinstance(error, OutageError | TransientError) and error.dependency not in self._failed:
            # A single lost reply is no outage; the others' work need not pause for it. But where others have found one, it is not tried again.
            self._failed.add(error.dependency)
            logger.info("an attempt failed", dependency=error.dependency, reason=error.reason)
            await self.wait(_pause(self._sleep, 0.1))
            return
        gate.close(error)
        await self.wait(gate.passed())

    async def through_outages(self, act: Callable[[], Awaitable[T]], *, rejections: bool = True) -> T:
        """Do something until it succeeds.

        Args:
            act: what to do.
            rejections: whether a rejection is waited for, too: there is no going on without it.

        Raises:
            RejectedError: it can never succeed, and `rejections` is off.
        """
        while True:
            try:
                done = await act()
            except (*PASSING, RejectedError) as error:
                if isinstance(error, RejectedError) and not rejections:
                    raise
                await self.outlast(error)
            else:
                self._failed.clear()
                return done


async def _pause(sleep: Callable[[float], Awaitable[None]], seconds: float) -> None:
    await sleep(seconds)
