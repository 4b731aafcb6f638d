"""Whether a restart would mend the worker (spec section 4): `/healthz` says 503 for that alone. Outages, pauses and full disks are no such thing.

Looked at every second, from before Kafka is there until the end, by `agents/watch.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.lease import Lease
from voc_stream.runtime.standstill import Standstill, Watching
from voc_stream.services.watch import Recovery, consumes, group_error, recovery_of

# A look counts for no more: it is made every second.
LOOK_SECONDS = 1.0
MOST_SECONDS = 2.0
CHECK_SECONDS = 5.0

logger = get_logger(__name__)


class Runner(Protocol):
    """What is needed of a stage's runner."""

    @property
    def stage(self) -> Any:
        """Return its name and needs."""

    @property
    def last_progress(self) -> float:
        """Return when it last was done with something."""

    def waiting_records(self) -> int:
        """Return how many records are fetched and not resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long what may stand still, in watched seconds.

    Args:
        stuck: a stage, or a recovery, before a restart is wanted.
        group: a group error, before a restart is wanted.
    """

    stuck: float
    group: float


class Health:
    """What the worker knows of its own health.

    Args:
        app: the Faust app.
        runners: the stages, by name.
        gates: the dependencies, by name.
        lease: knows when the group's coordinator last said yes.
        bounds: how long is too long.
        paused: why a stage is paused, or None.
        clock: monotonic seconds; replaced in tests.
    """

    def __init__(
        self,
        *,
        app: Any,
        runners: Mapping[str, Runner],
        gates: Mapping[str, Gate],
        lease: Lease,
        bounds: Bounds,
        paused: Callable[[str], str | None] = lambda _stage: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._runners = runners
        self._gates = gates
        self._lease = lease
        self._bounds = bounds
        self._paused = paused
        self._watching = Watching(MOST_SECONDS, clock)
        self._stages: dict[str, Standstill] = {}
        self._group = Standstill()
        self._recovering = Standstill()
        self._group_error: tuple[Exception, Hashable] | None = None
        self.unread: Mapping[str, int] = {}
        self.recovery: Recovery | None = None

    def look(self) -> None:
        """Take a look: count how long what has stood still."""
        seconds = self._watching.look()
        began = consumes(self._app)
        known = self.recovery
        self.recovery = recovery_of(self._app, known) if began else None
        busy = not began or self._app.rebalancing or self._app.in_recovery
        remaining = self.recovery.remaining if self.recovery else 0
        self._recovering.watched(seconds, (self._app.consumer_generation_id, remaining), idle=not (began and busy) or self._closed("kafka", "state"))
        self._group.watched(seconds, self._lease.last_sign, idle=not began or self._closed("kafka"))
        for name, runner in self._runners.items():
            idle = busy or not self._has_work(name, runner) or self._closed("kafka", *runner.stage.needs) or self._paused(name) is not None
            standstill = self._stages.setdefault(name, Standstill())
            standstill.watched(seconds, runner.last_progress, idle=idle)
            metrics.STANDSTILL.labels(name).set(standstill.seconds)
        metrics.HEALTHY.set(not self.ill_reasons())

    async def check_group(self) -> None:
        """Look for an error of the group that nobody else would see; the coordinator's next yes heals it.

        Raises:
            Exception: the error, if it did not heal for twice as long as `/healthz` waits: nobody has restarted the worker.
        """
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                error = await group_error(self._app)
        except TimeoutError:
            logger.warning("the consumer's thread does not answer")
            return
        if error is not None:
            logger.warning("the group failed", error=repr(error))
            self._group_error = (error, self._lease.last_sign)
        lasting = self._error()
        if lasting is not None and self._group.seconds >= 2 * self._bounds.group:
            raise lasting

    def ill_reasons(self) -> list[str]:
        """Return what a restart would mend; empty for a healthy worker, whether or not it is ready."""
        reasons = []
        error, silent = self._error(), self._group.seconds
        if error is not None and silent >= self._bounds.group:
            reasons.append(f"group: {type(error).__name__} for {silent:.0f} s")
        elif silent >= self._bounds.stuck:
            reasons.append(f"group: its coordinator has not confirmed this worker for {silent:.0f} s, though Kafka answers")
        if self._recovering.seconds >= self._bounds.stuck:
            reasons.append(f"recovery: no progress for {self._recovering.seconds:.0f} s, though Kafka answers")
        for name, standstill in self._stages.items():
            if standstill.seconds >= self._bounds.stuck:
                reasons.append(f"{name}: no progress for {standstill.seconds:.0f} s, though it has work and what it needs is well")
        return reasons

    def _error(self) -> Exception | None:
        """Return the group error that the coordinator has not said yes since."""
        if self._group_error is None or self._group_error[1] != self._lease.last_sign:
            return None
        return self._group_error[0]

    def _closed(self, *dependencies: str) -> bool:
        return any(not gate.is_open for name in dependencies if (gate := self._gates.get(name)) is not None)

    def _has_work(self, name: str, runner: Runner) -> bool:
        return runner.waiting_records() > 0 or any(self.unread.get(topic, 0) for topic in self._topics(name))

    def _topics(self, stage: str) -> set[str]:
        return {topic for name, agent in self._app.agents.items() if name.rpartition(".")[2] == stage for topic in agent.channel.topics}
