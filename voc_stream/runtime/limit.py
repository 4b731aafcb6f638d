"""Places for the work on one dependency, as many as its answers allow (spec section 2, concurrency; ADR 0018)."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from voc_stream.errors import OutageError, ThrottledError, TimedOutError, UnavailableError
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.gate import Gate
from voc_stream.stages.adaptive import Controller, Ticket

logger = get_logger(__name__)

# What says that the dependency has too much to do. An outage is its gate's business, a failure of one record is that record's.
_REFUSALS = (ThrottledError, UnavailableError, TimedOutError)
# How often it is tried whether fewer places would do as well: by the wall's clock, so that all workers do it at once.
LOOK_SECONDS = 300.0


class Limit:
    """Hands out places, in the order in which they are asked for.

    Args:
        stage: whose work it is, for metrics and logs.
        gate: of the dependency whose answers are measured.
        floor: never fewer places.
        ceiling: never more; it begins there.
        slack: what is no slowness of the dependency's, in the unit of what is measured.
        clock: seconds that only grow; replaced in tests.
        wall: the time that all workers share, in seconds; replaced in tests.
    """

    def __init__(
        self,
        stage: str,
        gate: Gate,
        *,
        floor: int,
        ceiling: int,
        slack: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.stage = stage
        self.in_use = 0
        self.clock = clock
        self._gate = gate
        self._controller = Controller(floor, ceiling, random.random, slack)
        self._most = self._controller.ceiling
        self._wall = wall
        self._moment = self._wall() // LOOK_SECONDS
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._shown = metrics.CONCURRENCY_LIMIT.labels(stage)
        self._shown_usual = metrics.LIMIT_USUAL.labels(stage)
        self._changed()

    @property
    def floor(self) -> int:
        """Never fewer places."""
        return self._controller.floor

    @property
    def ceiling(self) -> int:
        """Never more places."""
        return self._controller.ceiling

    @property
    def current(self) -> int:
        """How many places there are now."""
        return min(self._controller.limit, self._most)

    def hold_to(self, most: int) -> None:
        """Give no more places than this, whatever the dependency could take, until told otherwise."""
        held, self._most = self._most < self.ceiling, max(self.floor, most)
        if held != (self._most < self.ceiling):
            logger.info("as many at once as may be" if held else "fewer at once", stage=self.stage, places=self.current, why="what comes after lags")
        self._changed()

    def place(self, per: float = 1.0) -> Place:
        """Return a place, to be entered with `async with`.

        Args:
            per: the size of the work, in any unit: latency is compared by it.
        """
        return Place(self, per)

    async def take(self) -> Ticket:
        """Wait for a place; for `Place` alone.

        Raises:
            OutageError: the gate was closed meanwhile. Whoever waited in here must not ask a dependency that wants to be left alone.
        """
        if self._waiting or self.in_use >= self.current:
            await self._turn()
        else:
            self.in_use += 1
        if not self._gate.is_open:
            self.give_back()
            raise OutageError(self._gate.dependency, self._gate.reason or "its gate is closed")
        return self._controller.begin(self.in_use)

    def give_back(self) -> None:
        """Free a place; for `Place` alone."""
        self.in_use -= 1
        self._admit()

    def tell(self, ticket: Ticket, latency: float, error: BaseException | None) -> None:
        """Tell how work ended; for `Place` alone."""
        before = (self._controller.limit, self._controller.why)
        self._perhaps_look()
        if error is None:
            result = "ok"
            self._controller.answered(ticket, latency)
        elif isinstance(error, _REFUSALS) and error.dependency == self._gate.dependency:
            result = "refused"
            self._controller.refused(ticket)
        else:
            result = "other"
            self._controller.left(ticket)
        metrics.LIMIT_ANSWERS.labels(self.stage, result).inc()
        if before != (self._controller.limit, self._controller.why):
            self._tell_why()
        self._changed()

    def _perhaps_look(self) -> None:
        moment = self._wall() // LOOK_SECONDS
        if moment != self._moment:
            self._moment = moment
            self._controller.look()

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            else:
                # Not there any more if others were admitted between the cancellation and now.
                with suppress(ValueError):
                    self._waiting.remove(turn)
            raise

    def _admit(self) -> None:
        while self._waiting and self.in_use < self.current:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_use += 1
                turn.set_result(None)

    def _changed(self) -> None:
        self._shown.set(self.current)
        self._shown_usual.set(self._controller.usual or 0.0)
        self._admit()

    def _tell_why(self) -> None:
        why = self._controller.why
        metrics.LIMIT_CHANGES.labels(self.stage, why).inc()
        if why in {"refused", "slower"}:
            logger.info("fewer at once", stage=self.stage, dependency=self._gate.dependency, places=self._controller.limit, why=why)


class Place:
    """One place, taken for the length of an `async with`, or until it is freed.

    How the block ends tells how the dependency answered, unless `answered` told it before.
    """

    def __init__(self, limit: Limit, per: float) -> None:
        self._limit = limit
        self._per = per
        self._ticket: Ticket | None = None
        self._taken = False
        self._began = 0.0

    async def __aenter__(self) -> Self:
        self._ticket = await self._limit.take()
        self._taken = True
        self._began = self._limit.clock()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._tell(error)
        self.free()

    def answered(self) -> None:
        """Note that the dependency has answered: what follows takes its time for reasons of its own, such as a recording's length."""
        self._tell(None)

    def free(self) -> None:
        """Give the place to the next; what is still to be done needs the dependency no more."""
        self._tell(None)
        if self._taken:
            self._taken = False
            self._limit.give_back()

    def _tell(self, error: BaseException | None) -> None:
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            self._limit.tell(ticket, (self._limit.clock() - self._began) / self._per, error)
