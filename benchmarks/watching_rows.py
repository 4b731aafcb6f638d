"""Notes how many rows the sink has had, while a block runs."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmarks.black_hole import BlackHole


@dataclass(frozen=True, slots=True)
class Sample:
    """One look.

    Attributes:
        at: of `time.time`.
        rows: so far.
    """

    at: float
    rows: int


class RowsLog:
    """Looks a few times a second.

    Args:
        hole: the sink.
        every: seconds between two looks.
    """

    def __init__(self, hole: BlackHole, every: float = 0.25) -> None:
        self._hole = hole
        self._every = every
        self.samples: list[Sample] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rows-log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def longest_quiet(self, begin: float, end: float) -> float:
        """Return the longest stretch between two moments in which no row came."""
        longest, since, rows = 0.0, begin, -1
        for sample in self.samples:
            if begin <= sample.at <= end and sample.rows != rows:
                since, rows = sample.at, sample.rows
            if begin <= sample.at <= end:
                longest = max(longest, sample.at - since)
        return longest

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self.samples.append(Sample(time.time(), self._hole.rows()))
