"""One gate per dependency: closed while it is down or asks us to wait, opened again by one probe at a time (spec section 2)."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable

from voc_stream.errors import OutageError, OutsideError
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics

logger = get_logger(__name__)

Probe = Callable[[], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]

# A gate that closes again within this many seconds, with nothing served, opened too early: its probe says less than the work does.
_SOON = 60.0
# A gate that closes so often within these seconds is one of a dependency that comes and goes.
_FLAPS = 3
NOT_YET = "it has not answered yet"


class Gate:
    """Lets work through while its dependency is well.

    Args:
        dependency: its name as in metrics and `/readyz`.
        probe: raises OutsideError while the dependency is not well.
        first_pause: seconds before the first probe; doubled after each that fails, and when the gate closes again soon with nothing served.
        longest_pause: bound of the pause.
        patience: seconds that a probe may take.
        sleep: how to wait; replaced in tests.
        clock: monotonic seconds; replaced in tests.
        chance: random numbers from 0 to 1; replaced in tests.
    """

    def __init__(
        self,
        dependency: str,
        probe: Probe,
        *,
        first_pause: float = 0.5,
        longest_pause: float = 10.0,
        patience: float = 20.0,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.dependency = dependency
        self.reason: str | None = None
        self._probe = probe
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._patience = patience
        self._sleep = sleep
        self._clock = clock
        self._chance = chance
        self._opened = asyncio.Event()
        self._opened.set()
        self._probing: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[OutsideError | None] | None = None
        self._stopped = self._told = False
        self._pause = first_pause
        self._last_opened = self._last_success = float("-inf")
        self._serving: dict[str, Serving] = {}
        self._closings: deque[float] = deque(maxlen=_FLAPS)
        metrics.DEPENDENCY_UP.labels(dependency).set(1)

    @property
    def is_open(self) -> bool:
        """Whether work may go through."""
        return self._opened.is_set()

    @property
    def flapping(self) -> str | None:
        """Why an open gate is not to be relied on: the dependency comes and goes; None of one that does not."""
        often = len(self._closings) == _FLAPS and self._clock() - self._closings[0] < _SOON
        return f"it comes and goes: {_FLAPS} times within {_SOON:.0f} s" if often and self.is_open else None

    async def passed(self) -> None:
        """Wait until the gate is open."""
        await self._opened.wait()

    def succeeded(self) -> None:
        """Note that the dependency just served a record."""
        self._last_success = self._clock()

    def serving(self, stage: str) -> Serving:
        """Return what is known of how the dependency serves one stage: it may store for one while it does not read for another."""
        return self._serving.setdefault(stage, Serving(self))

    async def is_down(self) -> OutsideError | None:
        """Say why the dependency is not well, or None; it is asked itself, once for all who want to know at the same time."""
        if self.reason is not None:
            return OutageError(self.dependency, self.reason)
        return await self._ask()

    def doubt(self) -> None:
        """Let nothing through until the dependency has answered a probe, which is sent at once: nobody knows yet whether it is well."""
        if self._probing is None and not self._stopped:
            self._shut(NOT_YET, 0.0)

    def close(self, error: OutsideError) -> None:
        """Let nothing through until a probe succeeds; the first probe comes after the pause that the dependency asked for, if it did."""
        self.reason = error.reason
        if self._probing is not None:
            return
        self._opened.clear()
        if self._stopped:
            return
        self._closings.append(self._clock())
        self._tell(error.reason)
        self._pause = self._longer() if self._opened_too_early() else self._first_pause
        self._shut(error.reason, error.retry_after)

    async def stop(self) -> None:
        """Stop probing for good: what still fails while the worker ends closes the gate and asks nobody."""
        self._stopped = True
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
            self._probing = None
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _shut(self, reason: str, wait: float | None) -> None:
        self.reason = reason
        self._opened.clear()
        self._probing = asyncio.get_running_loop().create_task(self._probe_until_well(wait), name=f"probe {self.dependency}")

    def _tell(self, reason: str) -> None:
        self._told = True
        metrics.DEPENDENCY_UP.labels(self.dependency).set(0)
        logger.warning("a dependency is not well: its stages pause", dependency=self.dependency, reason=reason)

    def _opened_too_early(self) -> bool:
        return self._last_success < self._last_opened and self._clock() - self._last_opened < _SOON

    def _longer(self) -> float:
        return min(self._pause * 2, self._longest_pause)

    async def _ask(self) -> OutsideError | None:
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._answer(), name=f"ask {self.dependency}")
            self._asking.add_done_callback(self._answered)
        return await asyncio.shield(self._asking)

    def _answered(self, _: object) -> None:
        self._asking = None

    async def _answer(self) -> OutsideError | None:
        try:
            async with asyncio.timeout(self._patience):
                await self._probe()
        except OutsideError as error:
            return error
        except TimeoutError:
            return OutageError(self.dependency, f"no answer to a probe within {self._patience:g} s")
        except Exception as unknown:
            # A probe that just ended would leave the gate closed for ever.
            logger.exception("a probe met an error it does not know", dependency=self.dependency)
            return OutageError(self.dependency, f"its probe failed with {type(unknown).__name__}")
        return None

    async def _probe_until_well(self, wait: float | None) -> None:
        began = self._clock()
        wait = wait if wait is not None else self._pause
        while True:
            await self._sleep(min(wait, 600.0) * (1 + 0.2 * self._chance()))
            error = await self._ask()
            if error is None:
                break
            if not self._told:
                self._tell(error.reason)
            self.reason = error.reason
            self._pause = self._longer()
            wait = error.retry_after if error.retry_after is not None else self._pause
        self.reason = None
        self._probing = None
        for serving in self._serving.values():
            serving.failing.clear()
        self._last_opened = self._clock()
        self._opened.set()
        metrics.DEPENDENCY_UP.labels(self.dependency).set(1)
        if self._told:
            logger.info("a dependency is well again", dependency=self.dependency, seconds=round(self._clock() - began, 1))
        self._told = False


class Serving:
    """How a dependency serves the records of one stage.

    Attributes:
        served: how many chunks of records it served.
        failing: names of records that it failed since, and that are not given up.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.served = 0
        self.failing: set[str] = set()

    def succeeded(self) -> None:
        """Note that records were served."""
        self._gate.succeeded()
        self.served += 1
        self.failing.clear()

    def failed(self, record: str) -> None:
        """Note that a record failed."""
        self.failing.add(record)

    def dismiss(self, record: str) -> None:
        """Note that a record that failed is given up: it says nothing of the dependency any more."""
        self.failing.discard(record)

    def nobody(self, record: str, served: int) -> bool:
        """Whether nothing was served since this record began to fail, and another one fails as well.

        Args:
            record: the one that fails.
            served: what `served` was when it began to.
        """
        return self.served == served and bool(self.failing - {record})
