"""What many readers watch is asked for once: a board has a channel for each question, and a channel asks every few seconds while somebody reads it.

Whatever the number of readers, and however often they come and go, a question is asked at most once in an interval (docs/adr/0028-live-and-texts.md).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from voc_stream.errors import OutsideError
from voc_stream.logs import get_logger

logger = get_logger(__name__)

# Whoever asks longer gets nothing this time.
ASK_SECONDS = 10.0

T = TypeVar("T")


class FullError(Exception):
    """So many streams are open already that there is none more."""


@dataclass(slots=True)
class _Channel(Generic[T]):
    """One question.

    Attributes:
        ask: asks it.
        readers: how many there are; without any it ends after its interval.
        turn: how often it was answered.
        newest: the last answer.
        answered: set at the next answer, and then replaced.
        ended: nobody asks any more; who still reads must come again.
    """

    ask: Callable[[], Awaitable[T]]
    readers: int = 0
    turn: int = 0
    newest: T | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    task: asyncio.Task[None] | None = None


class Board(Generic[T]):
    """Channels by what they ask.

    Args:
        seconds: from one answer to the next question.
        most_of_one: streams that one tenant may have open at once.
        most: streams altogether.
    """

    def __init__(self, seconds: float, *, most_of_one: int, most: int) -> None:
        self._seconds = seconds
        self._most_of_one = most_of_one
        self._most = most
        self._channels: dict[Hashable, _Channel[T]] = {}
        self._streams: Counter[str] = Counter()

    @contextmanager
    def place(self, tenant: str) -> Iterator[None]:
        """Take one of a tenant's streams while the block runs.

        Args:
            tenant: whose; `*` for who is of all tenants.

        Raises:
            FullError: the tenant has as many as it may have, or all have.
        """
        if self._streams[tenant] >= self._most_of_one or self._streams.total() >= self._most:
            raise FullError
        self._streams[tenant] += 1
        try:
            yield
        finally:
            self._streams[tenant] -= 1
            if not self._streams[tenant]:
                del self._streams[tenant]

    async def watch(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> AsyncGenerator[T, None]:
        """Yield the newest answer, and again whenever there is a newer one, until the board is closed; a slow reader misses those between.

        Args:
            key: names the question; who watches the same key gets the same answers.
            ask: asks it; an `OutsideError`, or no answer in time, leaves the last one standing.
        """
        channel = self._channels.get(key) or self._opened(key, ask)
        channel.readers += 1
        seen = 0
        try:
            while not channel.ended:
                if channel.turn > seen and channel.newest is not None:
                    seen = channel.turn
                    yield channel.newest
                else:
                    await channel.answered.wait()
        finally:
            channel.readers -= 1

    async def close(self) -> None:
        """End all channels, and with them the streams that read them."""
        tasks = [channel.task for channel in self._channels.values() if channel.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _opened(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> _Channel[T]:
        channel = self._channels[key] = _Channel(ask)
        channel.task = asyncio.create_task(self._keep_asking(key, channel), name=f"live {key}")
        return channel

    async def _keep_asking(self, key: Hashable, channel: _Channel[T]) -> None:
        try:
            while channel.readers:
                await self._ask_once(key, channel)
                await asyncio.sleep(self._seconds)
        except Exception as error:  # noqa: BLE001 - a mistake of ours: its streams end, and nobody is left hanging
            logger.error("a live question failed", question=str(key), error=type(error).__name__)
        finally:
            del self._channels[key]
            channel.ended = True
            channel.answered.set()

    async def _ask_once(self, key: Hashable, channel: _Channel[T]) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                channel.newest = await channel.ask()
        except (OutsideError, TimeoutError) as error:
            logger.warning("a live question was not answered", question=str(key), reason=str(error) or type(error).__name__)
        channel.turn += 1
        answered, channel.answered = channel.answered, asyncio.Event()
        answered.set()
