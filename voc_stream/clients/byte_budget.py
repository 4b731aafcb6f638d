"""A bound on the bytes that many tasks hold at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ByteBudget:
    """Lets tasks hold at most `limit` bytes in all, in the order in which they ask; one that asks for more than all of it waits for all of it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.free = limit
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Wait until `size` bytes are free and hold them."""
        share = min(size, self.limit)
        await self._take(share)
        try:
            yield
        finally:
            self._give(share)

    async def _take(self, share: int) -> None:
        if not self._waiting and share <= self.free:
            self.free -= share
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((share, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give(share)
            elif (share, turn) in self._waiting:
                self._waiting.remove((share, turn))
                self._give(0)
            raise

    def _give(self, share: int) -> None:
        self.free += share
        while self._waiting and self._waiting[0][0] <= self.free:
            size, turn = self._waiting.popleft()
            # A cancelled waiter must not be handed anything.
            if not turn.done():
                self.free -= size
                turn.set_result(None)
