"""How many cores each part keeps busy, phase by phase."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from benchmarks.processes import family

PEOPLE = "people's side"


class Cores:
    """Looks at the processor time of parts before and after a phase.

    Args:
        worker: process id of the worker, which starts the people's side.
        parts: process ids of the servers.
    """

    def __init__(self, worker: int, parts: dict[str, int]) -> None:
        self._worker = worker
        self._parts = parts
        self.busy: dict[str, dict[str, float]] = {}

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Note how many cores were busy while the block ran."""
        before, began = self._used(), time.monotonic()
        yield
        seconds = time.monotonic() - began
        self.busy[phase] = {name: (used - before.get(name, 0.0)) / seconds for name, used in self._used().items()}

    def rows(self) -> list[tuple[object, ...]]:
        """Return the parts, the busiest first, with their cores in each phase, and their sum."""
        names = sorted(
            {name for busy in self.busy.values() for name in busy}, key=lambda name: -max(busy.get(name, 0.0) for busy in self.busy.values())
        )
        rows: list[tuple[object, ...]] = [(name, *(round(busy.get(name, 0.0), 2) for busy in self.busy.values())) for name in names]
        return [*rows, ("all", *(round(sum(busy.values()), 2) for busy in self.busy.values()))]

    def _used(self) -> dict[str, float]:
        worker = psutil.Process(self._worker)
        used = {"worker": _seconds(worker), "benchmark": _seconds(psutil.Process(os.getpid()))}
        used[PEOPLE] = sum(_seconds(child) for child in worker.children(recursive=True))
        return used | {name: sum(map(_seconds, family(pid))) for name, pid in self._parts.items()}


def _seconds(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0
