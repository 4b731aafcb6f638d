"""Whether the workers' state has room: below a bound of free bytes stages that write tables wait, so that RocksDB never meets a full disk."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from voc_stream.errors import OutageError
from voc_stream.runtime import metrics
from voc_stream.runtime.state import STATE

_PROBE = ".probe"
_PROBE_BYTES = 4096


class StateRoom:
    """The disk below STATE_DIR.

    Args:
        folder: STATE_DIR.
        least: free bytes below which there is no room.
    """

    def __init__(self, folder: Path, least: int) -> None:
        self._folder = folder
        self._least = least

    async def probe(self) -> None:
        """Look at the free space, and write a little.

        Raises:
            OutageError: there is no room, or it cannot be written.
        """
        await asyncio.to_thread(self._look)

    def _look(self) -> None:
        try:
            free = shutil.disk_usage(self._folder).free
            metrics.STATE_FREE.set(free)
            if free < self._least:
                raise OutageError(STATE, f"{free >> 20} MiB are free below STATE_DIR, and {self._least >> 20} must be (STATE_MIN_FREE_BYTES)")
            _write(self._folder / f"{_PROBE}-{os.getpid()}")
        except OSError as error:
            raise OutageError(STATE, f"STATE_DIR cannot be written: {error.strerror}") from error


def _write(path: Path) -> None:
    try:
        with path.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)
