"""The process of the people's side, as the worker keeps it running (docs/web.md, ADR 0023): what becomes of it is never the pipeline's business."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from voc_stream.logs import get_logger
from voc_stream.runtime import metrics

logger = get_logger(__name__)

COMMAND = (sys.executable, "-m", "voc_stream.web")
# From its end to the next start: doubled each time, and as at first again when it has lived for long.
FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
LIVED_SECONDS = 60.0
GRACE_SECONDS = 5.0


class PeopleSide:
    """Starts `python -m voc_stream.web`, and starts it again when it ends.

    Args:
        worker_port: the operator's port of this worker, known at the start.
        command: what to run before its options; replaced in tests.
        backoff: seconds to the first new start; replaced in tests.
    """

    def __init__(self, worker_port: Callable[[], int], command: Sequence[str] = COMMAND, backoff: float = FIRST_BACKOFF) -> None:
        self._worker_port = worker_port
        self._command = command
        self._first_backoff = backoff
        self._process: asyncio.subprocess.Process | None = None
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Keep it running until `stop`."""
        backoff = self._first_backoff
        while not self._ending.is_set():
            began = time.monotonic()
            code = await self._run_once()
            if self._ending.is_set():
                return
            if time.monotonic() - began >= LIVED_SECONDS:
                backoff = self._first_backoff
            metrics.PEOPLE_SIDE_ENDS.inc()
            logger.warning("the people's side ended: it is started again", exit_code=code, seconds=backoff)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF)

    async def stop(self) -> None:
        """End it: asked first, then killed."""
        self._ending.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), GRACE_SECONDS)
                return
            process.kill()

    async def _run_once(self) -> int | None:
        """Run it until it ends; returns its exit code, None where it could not be started."""
        options = ("--worker", str(self._worker_port()), "--parent", str(os.getpid()))
        try:
            self._process = await asyncio.create_subprocess_exec(*self._command, *options, stdin=asyncio.subprocess.DEVNULL)
        except OSError as error:
            logger.error("the people's side cannot be started", reason=type(error).__name__)
            return None
        logger.info("the people's side was started", pid=self._process.pid)
        return await self._process.wait()
