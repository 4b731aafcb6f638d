"""Answers that cost much, kept for a time that they are worth: twenty times as long as it took to make them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")

WORTH = 20.0
LONGEST_SECONDS = 60.0


class Kept(Generic[Answer]):
    """Makes each answer once for all who ask for it at the same time, and again when it has grown old.

    So a question takes no more than a twentieth of one processor's time however many ask it, and what is quick to make is always fresh.

    Args:
        most: answers that are remembered, the newest ones.
        least_seconds: for which each is kept, however quickly it was made.
        stale_seconds: for which one that has grown old is still given, while it is made anew: nobody waits for what many ask.
        clock: seconds that only grow; replaced in tests.
    """

    def __init__(
        self, *, most: int = 1000, least_seconds: float = 0.0, stale_seconds: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._least = least_seconds
        self._stale = stale_seconds
        self._clock = clock
        self._answers: OrderedDict[Hashable, tuple[float, Answer]] = OrderedDict()
        self._making: dict[Hashable, asyncio.Task[Answer]] = {}

    async def of(self, question: Hashable, make: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Return the answer to a question.

        Args:
            question: what tells it from others.
            make: makes its answer; what it raises is raised to all who wait for it, and not kept. It goes on when one of them is cancelled.
        """
        until, answer = self._answers.get(question, (0.0, None))
        now = self._clock()
        if answer is not None and now < until:
            return answer
        making = self._making.get(question)
        if making is None:
            making = self._making[question] = asyncio.create_task(self._made(question, make()))
            making.add_done_callback(lambda task: self._done(question, task))
        if answer is not None and now < until + self._stale:
            return answer
        return await asyncio.shield(making)

    async def _made(self, question: Hashable, making: Awaitable[Answer]) -> Answer:
        began = self._clock()
        answer = await making
        now = self._clock()
        self._answers[question] = (now + max(self._least, min(WORTH * (now - began), LONGEST_SECONDS)), answer)
        self._answers.move_to_end(question)
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)
        return answer

    def _done(self, question: Hashable, task: asyncio.Task[Answer]) -> None:
        self._making.pop(question, None)
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits for it any more
