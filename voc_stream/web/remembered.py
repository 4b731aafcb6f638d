"""Rows that are remembered for seconds, so that a request costs no query and a change is seen soon."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Looks things up, and again once what is known is too old. Who asks for the same thing at the same time waits for one look-up.

    Args:
        load: looks one up; what it raises goes to whoever waits, and nothing is remembered.
        seconds: for which an answer holds.
        most: answers that are held; the oldest goes.
        clock: seconds that only grow.
    """

    def __init__(self, load: Callable[[K], Awaitable[V]], *, seconds: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._known: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._loading: dict[K, asyncio.Future[V]] = {}

    async def get(self, key: K) -> V:
        """Return what there is, as of `seconds` ago at the earliest."""
        known = self._known.get(key)
        if known is not None and self._clock() - known[1] < self._seconds:
            return known[0]
        loading = self._loading.get(key)
        if loading is None:
            loading = asyncio.ensure_future(self._look_up(key))
            self._loading[key] = loading
            loading.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(loading)

    def forget(self, key: K) -> None:
        """Look this one up when it is next asked for."""
        self._known.pop(key, None)
        self._loading.pop(key, None)

    async def _look_up(self, key: K) -> V:
        asked = self._clock()  # an answer is as old as its question
        value = await self._load(key)
        if self._loading.get(key) is asyncio.current_task():
            self._known[key] = (value, asked)
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return value

    def _done(self, key: K, done: asyncio.Future[V]) -> None:
        if self._loading.get(key) is done:
            del self._loading[key]
        if not done.cancelled():
            done.exception()  # whoever waited has it
