"""When tokens and sessions were last used: noted in memory, written at most once a minute each, never in a request's way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from voc_stream.errors import OutsideError
from voc_stream.logs import get_logger

logger = get_logger(__name__)

EACH = timedelta(minutes=1)
K = TypeVar("K", bound=Hashable)


class LastUse(Generic[K]):
    """Notes uses.

    Args:
        write: stores the newest use of each.
        clock: the time.
    """

    def __init__(self, write: Callable[[dict[K, datetime]], Awaitable[None]], clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._write = write
        self._clock = clock
        self._written: dict[K, datetime] = {}
        self._waiting: dict[K, datetime] = {}

    def note(self, key: K) -> None:
        """Note that this one is used now."""
        now, written = self._clock(), self._written.get(key)
        if key in self._waiting or written is None or now - written >= EACH:
            self._waiting[key] = now

    def latest(self, key: K, stored: datetime) -> datetime:
        """Return when it was last used, for all that is known."""
        return max(stored, self._waiting.get(key, stored), self._written.get(key, stored))

    async def flush(self) -> None:
        """Write what was noted. If PostgreSQL does not take it, it is noted still."""
        waiting, self._waiting = self._waiting, {}
        if waiting:
            try:
                await self._write(waiting)
            except OutsideError as error:
                logger.warning("last uses could not be written", reason=str(error))
                self._waiting = waiting | self._waiting
                return
        now = self._clock()
        self._written = {key: at for key, at in (self._written | waiting).items() if now - at < EACH}
