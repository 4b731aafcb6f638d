"""How much may be told of what others decided to record: so much a second, whatever they send."""

from __future__ import annotations

import time
from collections.abc import Callable


class Budget:
    """A bucket of spans that fills with time.

    Args:
        per_second: so many come in.
        most: it holds no more.
        clock: monotonic seconds; replaced in tests.
    """

    def __init__(self, per_second: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._most = most
        self._clock = clock
        self._left = float(most)
        self._at = clock()

    def covers(self, spans: int) -> bool:
        """Whether there are so many."""
        now = self._clock()
        self._left = min(float(self._most), self._left + (now - self._at) * self._per_second)
        self._at = now
        return self._left >= spans

    def take(self, spans: int) -> int:
        """Take so many, or what there is; return how many that were."""
        taken = spans if self.covers(spans) else int(self._left)
        self._left -= taken
        return taken
