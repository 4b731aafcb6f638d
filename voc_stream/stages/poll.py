"""Which windows of call starts to search, and what a found segment becomes (spec section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from voc_stream.events.base import derived_id
from voc_stream.events.calls import RawCall
from voc_stream.stages.outside import Segment

# A search is followed by at least so many times its own length without one: beyond 7.5 s each the 30 s between polls are too few.
_REST = 4.0


@dataclass(frozen=True, slots=True)
class Window:
    """Call starts from `start` to `end`, both included."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Timing:
    """How polling is paced; all in seconds.

    Args:
        window: length of the sliding window.
        guard: how long a start must be past before it is polled, so that calls in progress are not raced.
        sweep: period of the sweep for long calls.
        longest_call: a call lasts no longer than this.
        largest_window: the longest stretch that one search may cover.
    """

    window: float
    guard: float
    sweep: float
    longest_call: float
    largest_window: float

    @property
    def look_back(self) -> timedelta:
        """How far back the sweep looks: a call that started then may just have ended."""
        return timedelta(seconds=self.longest_call + self.sweep + self.guard)


def pause_after(slowest: float, period: float) -> float:
    """Return the seconds until the next searches, if the slowest of those before took so many: a recorder that is busy is asked more rarely."""
    return max(period, _REST * slowest)


def sliding_windows(polled_to: datetime | None, now: datetime, timing: Timing) -> list[Window]:
    """Return the windows to search now: now-270 s .. now-30 s by default, or from the checkpoint on where that is older."""
    end = now - timedelta(seconds=timing.guard)
    start = end - timedelta(seconds=timing.window)
    return _pieces(start if polled_to is None else min(start, polled_to), end, timing)


def sweep_windows(swept_to: datetime | None, now: datetime, timing: Timing) -> list[Window]:
    """Return the windows to search for calls that were still running when the sliding window passed their start."""
    since = now if swept_to is None else min(swept_to, now)
    return _pieces(since - timing.look_back, now - timedelta(seconds=timing.guard), timing)


def swept_up_to(done: Window, now: datetime, timing: Timing) -> datetime:
    """Return the sweep's checkpoint after a window was searched.

    Everything that started before the window's end has been asked for at `now`; of it, only calls that started within
    `look_back` of now can still be running. So the next sweep, which goes back by `look_back` from here, misses nothing.
    """
    return min(now, done.end + timing.look_back)


def halves(window: Window) -> tuple[Window, Window] | None:
    """Split a window whose result was as long as the recorder's cap, in whole seconds, which is its resolution; None for a single second."""
    start, end = window.start.replace(microsecond=0), window.end.replace(microsecond=0)
    end += timedelta(seconds=end < window.end)
    if end <= start:
        return None
    middle = start + timedelta(seconds=(end - start) // timedelta(seconds=2))
    return Window(start, middle), Window(middle + timedelta(seconds=1), end)


def raw_call(segment: Segment, *, call_id: str, tenant_id: str, sealed_udfs: str) -> RawCall | None:
    """Return what `calls.polled` gets, the same at every poll; None for a segment without an end, which the next sweep finds."""
    if segment.ended_at is None:
        return None
    return RawCall(
        event_ts=segment.ended_at,
        ingest_uuid=derived_id("call", call_id),
        call_id=call_id,
        tenant_id=tenant_id,
        started_at=segment.started_at,
        ended_at=segment.ended_at,
        raw_agent=segment.raw_agent,
        other_parties=segment.other_parties,
        skill=segment.skill,
        service=segment.service,
        switch_call_id=segment.switch_call_id,
        sealed_udfs=sealed_udfs,
    )


def _pieces(start: datetime, end: datetime, timing: Timing) -> list[Window]:
    """Cut a stretch into windows no longer than the largest, oldest first; neighbours share their border second."""
    step = timedelta(seconds=timing.largest_window)
    pieces = []
    while start < end:
        stop = min(start + step, end)
        pieces.append(Window(start, stop))
        start = stop
    return pieces
