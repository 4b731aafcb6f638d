"""What stands still in this worker although nothing outside is down: by an operator's order, by itself, or for its dead letters (docs/adr/0017)."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.stages.pause_orders import EVERY, PauseOrder
from voc_stream.stages.self_pause import Dead, LetterRates, PauseRules, SelfPause

logger = get_logger(__name__)

# Self-pauses that wait to be written into the audit log; the oldest go first.
MOST_NEWS = 100


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many dead letters of one tenant a stage writes a second.

    Args:
        calls: in each stage of the calls.
        events: of customer events.
    """

    calls: float = 1.0
    events: float = 100.0


@dataclass(frozen=True, slots=True)
class News:
    """Something that a stage decided by itself: `self_pause` or `self_resume`."""

    action: str
    stage: str
    reason: str


@dataclass(slots=True)
class _Stage:
    own: SelfPause
    rates: LetterRates
    trying: asyncio.Task[Any] | None = None
    refused: str | None = None


@dataclass(slots=True)
class _Ordered:
    """The operator's orders by stage; EVERY is a stage here."""

    stages: dict[str, PauseOrder] = field(default_factory=dict)
    tenants: dict[str, frozenset[str]] = field(default_factory=dict)
    resumed_at: dict[str, datetime] | None = None


class Pauses:
    """Of one worker; stages ask before each chunk or window and tell what became of it.

    Args:
        rules: when a stage pauses itself.
        throttle: dead letters a second of one tenant.
        events_stage: the stage of customer events.
        untold: whether all stages wait until `tell` or `tell_nothing` is called for the first time.
        clock: monotonic seconds; replaced in tests.
        later: calls something after some seconds; replaced in tests.
    """

    def __init__(
        self,
        rules: PauseRules | None = None,
        throttle: Throttle | None = None,
        *,
        events_stage: str = "voc",
        untold: bool = False,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        self._rules = rules or PauseRules()
        self._throttle = throttle or Throttle()
        self._events_stage = events_stage
        self._untold = untold
        self._clock = clock
        self._later = later or (lambda seconds, act: asyncio.get_running_loop().call_later(seconds, act))
        self._stages: dict[str, _Stage] = {}
        self._ordered = _Ordered()
        self._changed = asyncio.Event()
        self._news: deque[News] = deque(maxlen=MOST_NEWS)

    # what a stage asks

    def is_open(self, stage: str) -> bool:
        """Whether a stage may work."""
        return not self._untold and stage not in self._ordered.stages and self._of(stage).own.reason is None

    async def passed(self, stage: str) -> None:
        """Wait until a stage may work, or until the calling task is the one that tries whether it can; then `note` says what came of it."""
        while not self.is_open(stage) and not self._tries(stage):
            await self._changed.wait()

    def note(self, stage: str, passed: int, dead: Dead) -> bool:
        """Tell what became of a chunk or window before its letters are written.

        Args:
            stage: its name.
            passed: records that were stored, published or dropped.
            dead: those that cannot pass, by tenant.

        Returns:
            Whether the letters may be written. If not, the stage has paused itself and their records wait for `passed`, to be tried again.
        """
        state, now = self._of(stage), self._clock()
        if state.trying is not None and state.trying is asyncio.current_task():
            state.trying = None
            state.own.tried(passed, dead, now)
            if state.own.reason is None:
                self._show(stage, state, "the chunk that was tried passed")
            else:
                self._look_later(stage)
            return True
        was_open = state.own.reason is None
        may_write = state.own.note(passed, dead, now)
        if was_open and not may_write:
            self._show(stage, state, state.own.reason or "")
        return may_write

    def take(self, stage: str, tenant_id: str | None, letters: int) -> int:
        """Return how many of a tenant's dead letters may be written now, and count these."""
        return self._of(stage).rates.take(tenant_id, letters, self._clock())

    def spend(self, stage: str, dead: Dead) -> float:
        """Count dead letters that are written in any case; returns the seconds after which their tenants are within their rates again."""
        rates, now = self._of(stage).rates, self._clock()
        for tenant_id, letters in dead.items():
            rates.spend(tenant_id, letters, now)
        return max((rates.wait(tenant_id, now) for tenant_id in dead), default=0.0)

    def held_tenants(self, stage: str) -> frozenset[str | None]:
        """Return the tenants whose records wait: paused by an operator, or with more dead letters than their rate."""
        return self._of(stage).rates.throttled(self._clock()) | self.paused_tenants(stage)

    def paused_tenants(self, stage: str) -> frozenset[str]:
        """Return the tenants that an operator paused in this stage or in all."""
        tenants = self._ordered.tenants
        return tenants.get(stage, frozenset()) | tenants.get(EVERY, frozenset()) if tenants else frozenset()

    async def changed(self) -> None:
        """Wait until an order or a self-pause changes."""
        await self._changed.wait()

    async def tenant_resumed(self, stage: str, tenant_id: str | None) -> None:
        """Wait while an operator has paused a tenant."""
        while tenant_id in self.paused_tenants(stage):
            await self._changed.wait()

    def wait_of(self, stage: str, tenant_id: str | None) -> float:
        """Return the seconds until a tenant is within its rate."""
        return self._of(stage).rates.wait(tenant_id, self._clock())

    def refuse(self, stage: str, reason: str) -> None:
        """Note that a stage's dead letters cannot be written although Kafka is well."""
        if self._of(stage).refused != reason:
            logger.error("a dead letter cannot be written: its record waits, and its offset is not committed", stage=stage, reason=reason)
        self._of(stage).refused = reason
        metrics.STAGE_PAUSED.labels(stage, "dead_letters").set(1)

    def accepted(self, stage: str) -> None:
        """Note that a dead letter was written."""
        if self._of(stage).refused is not None:
            self._of(stage).refused = None
            metrics.STAGE_PAUSED.labels(stage, "dead_letters").set(0)

    # what health and pages ask

    def reason(self, stage: str) -> str | None:
        """Return why records of a stage may wait, for a person; None if no pause is to blame."""
        closed = self._closed(stage)
        if closed is None and (tenants := self.held_tenants(stage)):
            return f"records of {len(tenants)} tenants wait"
        return closed

    def closed(self) -> list[str]:
        """Return which stages stand still, and why, a sentence each."""
        if self._untold:
            return ["an operator's pauses are not read yet"]
        names = sorted({*self._stages, *self._ordered.stages})
        return [f"{name}: {reason}" for name in names if (reason := self._closed(name))]

    def throttles(self) -> dict[str, list[str | None]]:
        """Return, by stage, the tenants that have used up their rate of dead letters."""
        now = self._clock()
        return {name: sorted(tenants, key=str) for name, stage in self._stages.items() if (tenants := stage.rates.throttled(now))}

    # what the agent tells

    def tell(self, orders: Sequence[PauseOrder]) -> None:
        """Take over the orders of PostgreSQL, all that there are."""
        ordered, before = _Ordered(), self._ordered
        resumed: dict[str, PauseOrder] = {}
        for order in orders:
            if order.tenant_id == EVERY:
                (ordered.stages if order.paused else resumed)[order.stage] = order
            elif order.paused:
                ordered.tenants[order.stage] = ordered.tenants.get(order.stage, frozenset()) | {order.tenant_id}
        ordered.resumed_at = {stage: order.changed_at for stage, order in resumed.items()}
        self._ordered, self._untold = ordered, False
        # What was ordered before this worker first read is of no pause of its own.
        known = before.resumed_at
        for stage, at in ordered.resumed_at.items():
            if known is not None and (stage not in known or known[stage] < at):
                self._resume(stage)
        self._show_orders(before)
        self._wake()

    def tell_nothing(self) -> None:
        """Go on with what is known: PostgreSQL cannot be asked."""
        if self._untold:
            self._untold = False
            self._wake()

    def news(self) -> deque[News]:
        """Return what stages decided by themselves and nobody has written down; the caller takes from its left what it has written."""
        return self._news

    def _resume(self, stage: str) -> None:
        state = self._of(stage)
        was_paused = state.own.reason is not None
        state.own.resume(self._clock())
        if was_paused:
            self._show(stage, state, "an operator resumed it")

    def _closed(self, stage: str) -> str | None:
        order, state = self._ordered.stages.get(stage), self._of(stage)
        if order is not None:
            return f"paused by an operator ({order.reason})" if order.reason else "paused by an operator"
        if state.own.reason is not None:
            return f"paused itself: {state.own.reason}"
        return f"its dead letters cannot be written: {state.refused}" if state.refused else None

    def _of(self, stage: str) -> _Stage:
        found = self._stages.get(stage)
        if found is None:
            rate = self._throttle.events if stage == self._events_stage else self._throttle.calls
            found = self._stages[stage] = _Stage(SelfPause(self._rules), LetterRates(rate))
        return found

    def _tries(self, stage: str) -> bool:
        """Whether the calling task is the one that tries a stage that paused itself; it becomes so if it is time."""
        state, task = self._of(stage), asyncio.current_task()
        if self._untold or stage in self._ordered.stages or not state.own.may_try(self._clock()):
            return False
        if state.trying is None or state.trying.done():
            state.trying = task
            if task is not None:
                task.add_done_callback(lambda _: self._wake())
            logger.info("a stage that paused itself tries one chunk", stage=stage)
        return state.trying is task

    def _show(self, stage: str, state: _Stage, reason: str) -> None:
        """Tell metrics, log and audit log of a change of mind, and wake those who wait for it."""
        paused = state.own.reason is not None
        metrics.STAGE_PAUSED.labels(stage, "self").set(paused)
        if paused:
            metrics.SELF_PAUSES.labels(stage).inc()
            logger.error("a stage pauses itself", stage=stage, reason=state.own.reason)
            self._look_later(stage)
        else:
            logger.info("a stage that had paused itself goes on", stage=stage, reason=reason)
        self._news.append(News("self_pause" if paused else "self_resume", stage, state.own.reason or reason))
        self._wake()

    def _look_later(self, stage: str) -> None:
        own = self._of(stage).own
        if own.reason is None:
            return
        left = own.until - self._clock()
        if left > 0:
            self._later(left, lambda: self._look_later(stage))
        else:
            self._wake()

    def _show_orders(self, before: _Ordered) -> None:
        for stage in {*before.stages, *self._ordered.stages}:
            metrics.STAGE_PAUSED.labels(stage, "operator").set(stage in self._ordered.stages)
        for stage in {*before.tenants, *self._ordered.tenants}:
            metrics.PAUSED_TENANTS.labels(stage).set(len(self._ordered.tenants.get(stage, ())))

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
