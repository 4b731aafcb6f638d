"""A body that is read while it arrives."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from voc_stream.errors import TransientError

# Bytes a second. The leanest codec of telephony takes twice as much for speech; whoever sends less will not come to an end.
SLOWEST = 512


@dataclass(frozen=True, slots=True)
class ByteStream:
    """A recording or an object, read once from its start.

    Args:
        size: its bytes, where the sender said so.
        content_type: as the sender said, or "".
        source: the chunks.
    """

    size: int | None
    content_type: str
    source: AsyncIterator[bytes]

    def chunks(self) -> AsyncIterator[bytes]:
        """Return the chunks; a fault on the way is raised as `OutsideError`."""
        return self.source


class Pace:
    """Gives a body up that comes more slowly than anybody speaks; a trickle would put off the time-out of silence for ever.

    Args:
        dependency: who sends it.
        patience: seconds of waiting over which the pace is measured; the time in which nobody reads does not count.
        clock: seconds that only grow; replaced in tests.
    """

    def __init__(self, dependency: str, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._dependency = dependency
        self._patience = patience
        self._clock = clock
        self._waited = 0.0
        self._got = 0

    async def of(self, reading: Awaitable[bytes]) -> bytes:
        """Return what is read.

        Raises:
            TransientError: too little came in the time.
        """
        began = self._clock()
        chunk = await reading
        self._waited += self._clock() - began
        self._got += len(chunk)
        if chunk and self._waited >= self._patience:
            if self._got < SLOWEST * self._waited:
                raise TransientError(self._dependency, f"it sends less than {SLOWEST} bytes a second")
            self._waited, self._got = 0.0, 0
        return chunk
