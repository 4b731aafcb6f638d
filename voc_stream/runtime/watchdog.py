"""Ends a worker whose event loop hangs (docs/health.md): a thread that asks the loop every second and is not answered.

The thread counts its own looks, not a clock: after a suspension (SIGSTOP, a sleeping machine) it has looked once, and the loop has a
chance to answer. What hangs without letting other threads run either (a regular expression, say) is ended by the kernel: a timer of the
process's own processor time, which stands still while the process does, is set back with every look.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable

from voc_stream.logs import get_logger

logger = get_logger(__name__)

LOOK_SECONDS = 0.5
EXIT_CODE = 70
# A log that cannot be written must not keep a hung worker alive.
LAST_WORDS_SECONDS = 5.0


class Watchdog:
    """Watches the event loop of the thread that makes it, until the loop is closed.

    Args:
        loop: to watch.
        seconds: without an answer after which the process ends; 0 watches nothing.
        end: ends the process; replaced in tests.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, end: Callable[[int], None] = os._exit) -> None:
        self._loop = loop
        self._seconds = seconds
        self._end = end
        self._watched = threading.get_ident()
        self._answered = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        if self._seconds:
            faulthandler.register(signal.SIGPROF, all_threads=True, chain=True)
            self._thread.start()

    def _watch(self) -> None:
        try:
            self._look_again_and_again()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def _look_again_and_again(self) -> None:
        silent = 0.0
        while True:
            signal.setitimer(signal.ITIMER_PROF, self._allowance())
            self._answered.clear()
            try:
                self._loop.call_soon_threadsafe(self._answered.set)
            except RuntimeError:  # the loop is closed: the worker ends by itself
                return
            silent = 0.0 if self._answered.wait(LOOK_SECONDS) else silent + LOOK_SECONDS
            if silent >= self._seconds:
                self._give_up()
                return
            if not silent:
                time.sleep(LOOK_SECONDS)

    def _allowance(self) -> float:
        """Return how much processor time all threads together may take between two looks."""
        return self._seconds * (os.cpu_count() or 1)

    def _give_up(self) -> None:
        words = threading.Thread(target=self._say_why, daemon=True)
        words.start()
        words.join(LAST_WORDS_SECONDS)
        self._end(EXIT_CODE)

    def _say_why(self) -> None:
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - the documented way to another thread's stack
        stack = "".join(traceback.format_stack(frame)) if frame else ""
        logger.error("the event loop hangs: the worker ends", seconds=self._seconds, exit_code=EXIT_CODE, stack=stack)
