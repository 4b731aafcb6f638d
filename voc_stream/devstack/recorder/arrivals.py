"""Calls that hang up one after the other, at a rate."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import structlog

from voc_stream.devstack.recorder.core import Recorder
from voc_stream.devstack.recorder.plan import Mix, PlannedCall, Planner, kinds_of

log = structlog.get_logger(__name__)

LEAD_SECONDS = 240.0
"""Calls are recorded this long before their hang-up, more than any dialogue lasts, so that searches show them in progress."""


def planned_calls(mix: Mix, seed: int, count: int | None) -> Iterator[PlannedCall]:
    """The calls of a mix for exactly `count` segments, or without end."""
    planner = Planner(seed)
    return (planner.call(kind) for kind in kinds_of(mix, seed, count))


class Arrivals:
    """A plan being carried out: segment k hangs up k / rate minutes after the start.

    Args:
        recorder: where the calls are entered.
        calls: what is planned.
        per_minute: the rate, in segments.
        planned: how many segments there will be; None: no end.
    """

    def __init__(self, recorder: Recorder, calls: Iterable[PlannedCall], per_minute: float, planned: int | None) -> None:
        self._recorder = recorder
        self._calls = calls
        self._per_minute = per_minute
        self.planned = planned
        self.entered = 0

    async def run(self) -> None:
        """Enter every call in time; returns once all are entered, some perhaps still in progress."""
        start = self._recorder.now()
        calls = iter(self._calls)
        # In a thread, since a plan may have to read a recording to the end to know its length.
        while (planned := await asyncio.to_thread(next, calls, None)) is not None:
            self.entered = await self._enter(planned, start, self.entered)

    async def _enter(self, planned: PlannedCall, start: datetime, before: int) -> int:
        count = before + len(planned.segments)
        hang_up = start + timedelta(minutes=(count - 1) / self._per_minute)
        early = (hang_up - self._recorder.now()).total_seconds() - LEAD_SECONDS
        if early > 0:
            await asyncio.sleep(early)
        recordings = await self._recorder.prepare(planned)
        self._recorder.enter(planned, recordings, ended_at=hang_up)
        return count
