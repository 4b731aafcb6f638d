"""Tells of a recovery in the log: that it began, how far it is every few seconds, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable

from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.services.watch import Recovery

logger = get_logger(__name__)

TELL_SECONDS = 5.0


class RecoveryLog:
    """Is told of every look at the recovery.

    Args:
        clock: monotonic seconds; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = 0.0
        self._told = 0.0
        self._last: Recovery | None = None

    def look(self, recovery: Recovery | None) -> None:
        """Take a look: what is known of the recovery, None while there is none."""
        now = self._clock()
        last, self._last = self._last, recovery
        metrics.RECOVERY_REMAINING.set(recovery.remaining if recovery else 0)
        if recovery is not None and recovery.total:
            if last is None or not last.total:
                self._began = now
            elif now - self._told < TELL_SECONDS:
                return
            self._told = now
            logger.info("recovering tables", remaining=recovery.remaining, total=recovery.total)
        elif recovery is None and last is not None and last.total:
            logger.info("tables recovered", changes=last.total, seconds=round(now - self._began, 1))
