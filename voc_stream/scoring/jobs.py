"""How many recordings are worked on and wait, and the threads in which that happens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from voc_stream.scoring.errors import BusyError

T = TypeVar("T")
Check = Callable[[], None]


class AbandonedError(Exception):
    """Nobody waits for the work any more."""


class Jobs:
    """At most ``running`` jobs at a time, ``waiting`` more admitted; a request counts from its first byte to its answer."""

    def __init__(self, *, running: int, waiting: int, seconds_per_job: float = 5.0) -> None:
        self._places = running + waiting
        self._running = running
        self._seconds = seconds_per_job
        self._taken = 0
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(running, thread_name_prefix="score")

    @property
    def taken(self) -> int:
        """Requests that are admitted now."""
        return self._taken

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            BusyError: all are taken; with the seconds after which one may be free.
        """
        if self._taken >= self._places or self._stopping.is_set():
            msg = f"All {self._places} places are taken; try again later."
            raise BusyError(msg, retry_after=max(1, round(self._seconds * self._taken / self._running)))
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def run(self, work: Callable[[Check], T]) -> T:
        """Do ``work`` in a thread. When the caller is cancelled the work is told by its `Check`, and has ended before this returns."""
        abandoned = threading.Event()

        def check() -> None:
            if abandoned.is_set() or self._stopping.is_set():
                raise AbandonedError

        def begin() -> T:
            check()
            return work(check)

        future = asyncio.get_running_loop().run_in_executor(self._threads, begin)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            abandoned.set()
            await asyncio.wait([future])
            raise

    def stop(self) -> None:
        """End the threads; work in progress ends at its next check."""
        self._stopping.set()
        self._threads.shutdown(wait=True, cancel_futures=True)
