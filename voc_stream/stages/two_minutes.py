"""The two minutes from a call's end to its score, as its timeline tells them (spec section 2): each stage's share, and who took longer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

BUDGET_SECONDS = 120.0

# A sweep finds a call within a minute; a recording is copied, heard and judged, and told, in the rest.
SHARES = {"enrich": 70.0, "download": 15.0, "score": 25.0, "export": 10.0}

_DONE = {"enriched", "downloaded", "scored", "not_scorable", "exported"}
_FAILED = {"errored", "missing"}
_WAITING = {"parked"}


class Entry(Protocol):
    """What the timeline says of a moment."""

    @property
    def at(self) -> datetime:
        """When."""

    @property
    def stage(self) -> str:
        """Where."""

    @property
    def what(self) -> str:
        """What happened."""

    @property
    def detail(self) -> str | None:
        """Why."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How a moment stands to the two minutes; seconds.

    Attributes:
        since_end: since the call's end.
        delay: since the moment before, or the call's end.
        share: that its stage may take; None where it is no part of the way: a failure, a repeat, what comes after the first export.
        late: whether it took longer.
        failed: whether it failed for now or for good.
        reason: why it was late or failed.
    """

    since_end: float
    delay: float
    share: float | None
    late: bool
    failed: bool
    reason: str | None


def judge(entries: Iterable[Entry], ended_at: datetime) -> Iterator[Judged]:
    """Yield how each entry of a call's timeline stands.

    Args:
        entries: in order of time.
        ended_at: the call's end.
    """
    before, trouble, done = ended_at, None, set[str]()
    for entry in entries:
        delay = max(0.0, (entry.at - before).total_seconds())
        first = entry.what in _DONE and entry.stage not in done and "export" not in done
        share = SHARES.get(entry.stage) if first else None
        late, failed = share is not None and delay > share, entry.what in _FAILED
        if failed or entry.what in _WAITING:
            trouble = entry.detail
        reason = (trouble or f"{delay:.0f} s, and its share is {share:.0f} s") if late else entry.detail
        yield Judged((entry.at - ended_at).total_seconds(), delay, share, late, failed, reason)
        before = entry.at
        if entry.what in _DONE:
            done.add(entry.stage)
            trouble = None
