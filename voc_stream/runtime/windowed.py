"""Runs the customer events: a task for each assigned partition, bound to the generation that fetched its records (docs/adr/0012).

Like `StageRunner` it lets go at a stop or a rebalance, un-acked, and ends the worker on the error it does not know.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from faust.types import TP

from voc_stream.logs import get_logger
from voc_stream.runtime.ledger import RecordBatch
from voc_stream.runtime.patience import Patience
from voc_stream.runtime.state import STATE
from voc_stream.runtime.window_lane import Lane, WindowRules
from voc_stream.runtime.window_letters import STAGE
from voc_stream.runtime.window_performer import WindowTools
from voc_stream.stages.delivery import AbandonedError
from voc_stream.stages.history import RefusalError
from voc_stream.stages.seen_ids import Horizon

logger = get_logger(__name__)

# Windows beyond the ordinary size that are held at once, whatever the number of partitions: they are what takes memory. One is formed while the
# other is inserted; with three or six a worker with everything on stored up to two fifths less: it waited (docs/benchmarks.md).
LARGE_WINDOWS = 2
# How long cancelled work may take to clean up before a stop or a rebalance goes on without it.
ABANDON_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Described:
    """What health and metrics want to know of a stage."""

    name: str = STAGE
    needs: tuple[str, ...] = ("clickhouse", STATE)


class WindowedRunner:
    """Takes record batches of customer events.

    Args:
        rules: how windows are formed.
        tools: what all partitions share.
        most_ids: event ids to remember, over all partitions.
        crash: ends the worker with this error.
        sleep: how to wait; replaced in tests.
    """

    def __init__(
        self,
        rules: WindowRules,
        tools: WindowTools,
        *,
        most_ids: int,
        crash: Callable[[BaseException], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.stage = Described()
        self._rules = rules
        self._tools = tools
        self._crash = crash
        self._sleep = sleep
        self._horizon = Horizon(most_ids)
        self._room = asyncio.Semaphore(LARGE_WINDOWS)
        self._lanes: dict[TP, tuple[Lane, asyncio.Task[None]]] = {}
        self._ending: asyncio.Task[None] | None = None
        self.last_progress = time.monotonic()

    async def run(self, events: AsyncIterator[Any]) -> None:
        """Take batches as they come; `events` are Faust events whose values are record batches, not acknowledged by Faust."""
        async for event in events:
            self.accept(event.value)

    def accept(self, batch: RecordBatch) -> None:
        """Hand a batch to its partition's task, which the first of a generation starts."""
        if not batch.live or self._ending is not None:
            return
        tp = TP(batch.topic, batch.partition)
        found = self._lanes.get(tp)
        if found is None or found[1].done() or found[0].generation != batch.generation:
            found = self._lanes[tp] = self._start(tp, batch)
        found[0].accept(batch)

    def waiting_records(self) -> int:
        """Return how many records are fetched and not resolved."""
        return sum(lane.waiting.records + lane.working for lane, _ in self._lanes.values())

    async def quiesce(self, grace: float) -> None:
        """Begin no further window; give what runs `grace` seconds, and end what only waits at once. All of it un-acked."""
        lanes, self._lanes = self._lanes, {}
        for lane, task in lanes.values():
            lane.patience.stopping = True
            if lane.patience.waiting:
                task.cancel()
        tasks = [task for _, task in lanes.values() if not task.done()]
        if not tasks:
            return
        _done, late = await asyncio.wait(tasks, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            logger.info("windows abandoned un-acked: their records will be delivered again", windows=len(late))
            await asyncio.wait(late, timeout=ABANDON_SECONDS)

    def _start(self, tp: TP, batch: RecordBatch) -> tuple[Lane, asyncio.Task[None]]:
        lane = Lane(
            tp,
            batch.generation,
            rules=self._rules,
            tools=self._tools,
            patience=Patience(self._tools.gates, self._sleep),
            horizon=self._horizon,
            room=self._room,
            progressed=self._progressed,
        )
        task = asyncio.get_running_loop().create_task(lane.run(batch.position), name=f"{STAGE} {tp.topic}[{tp.partition}]")
        task.add_done_callback(self._finished)
        return lane, task

    def _progressed(self) -> None:
        self.last_progress = time.monotonic()

    def _finished(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None or isinstance(error, AbandonedError):
            logger.info("a partition was let go of", task=task.get_name())
            return
        if isinstance(error, RefusalError):
            logger.error("the worker ends: going on would lose events or store them twice", reason=str(error))
        else:
            logger.error("a stage met an error it does not know: the worker ends", stage=STAGE, exc_info=error)
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end(error))

    async def _end(self, error: BaseException) -> None:
        await self._crash(error)
