"""How long something made no progress though nothing was in its way, counted only while somebody watched.

A worker that was suspended, or a clock that was set, must not look like one that stands still: when it wakes up, nothing has been
watched meanwhile. So seconds are counted look by look, and a look counts for no more than looks usually lie apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable


class Watching:
    """Tells at each look how many seconds were watched since the one before.

    Args:
        most: a look counts for no more than this.
        clock: monotonic seconds; replaced in tests.
    """

    def __init__(self, most: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._looked = clock()

    def look(self) -> float:
        """Return the seconds since the last look, or what a look counts for."""
        before, self._looked = self._looked, self._clock()
        return min(self._looked - before, self._most)


class Standstill:
    """How long something has stood still.

    Attributes:
        seconds: that were watched since it last moved, or had nothing to do, or something was in its way.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._mark: Hashable = None

    def watched(self, seconds: float, mark: Hashable, *, idle: bool) -> None:
        """Count what was watched.

        Args:
            seconds: since the last look.
            mark: differs from the last one's if there was progress.
            idle: whether it has nothing to do, or something is in its way.
        """
        self.seconds = 0.0 if idle or mark != self._mark else self.seconds + seconds
        self._mark = mark
