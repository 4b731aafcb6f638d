"""What is asked for at the same time, done in one act: a group commit. Nobody waits for company."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from voc_stream.tracing.current import nobody

Asked = TypeVar("Asked")
Given = TypeVar("Given")


class Together(Generic[Asked, Given]):
    """Passes what is asked to `act`: the first at once, and what comes while an act is under way, together in the next one.

    Args:
        act: answers several, in their order; what it raises is raised to each of them.
        most: of one act.
    """

    def __init__(self, act: Callable[[Sequence[Asked]], Awaitable[Sequence[Given]]], *, most: int = 100) -> None:
        self._act = act
        self._most = most
        self._waiting: deque[tuple[Asked, asyncio.Future[Given]]] = deque()
        self._acting: asyncio.Task[None] | None = None

    async def ask(self, asked: Asked) -> Given:
        """Return the answer. An act that has begun goes on when one of those who wait for it is cancelled."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Given] = loop.create_future()
        self._waiting.append((asked, answer))
        if self._acting is None:
            self._acting = loop.create_task(self._act_while_asked(), name="together", context=nobody())
        return await answer

    async def _act_while_asked(self) -> None:
        try:
            while taken := self._next():
                await self._answer(taken)
        finally:
            self._acting = None

    def _next(self) -> list[tuple[Asked, asyncio.Future[Given]]]:
        taken: list[tuple[Asked, asyncio.Future[Given]]] = []
        while self._waiting and len(taken) < self._most:
            asked, answer = self._waiting.popleft()
            if not answer.done():
                taken.append((asked, answer))
        return taken

    async def _answer(self, taken: Sequence[tuple[Asked, asyncio.Future[Given]]]) -> None:
        try:
            given = await self._act([asked for asked, _ in taken])
        except asyncio.CancelledError:
            for _, answer in (*taken, *self._waiting):
                answer.cancel()
            self._waiting.clear()
            raise
        except Exception as error:  # noqa: BLE001 - whoever asked judges it
            for _, answer in taken:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for (_, answer), one in zip(taken, given, strict=True):
                if not answer.done():
                    answer.set_result(one)
