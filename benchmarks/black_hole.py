"""The sink of `benchmarks.sink` as the harness holds it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.sink import HOST, Mark
from voc_stream.devstack.errors import StackError

_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happened between two marks."""

    first: Mark
    last: Mark

    @property
    def rows(self) -> int:
        """The rows that came."""
        return self.last.rows - self.first.rows

    @property
    def per_second(self) -> float:
        """Rows a second."""
        return self.rows / (self.last.at - self.first.at)

    @property
    def cpu_us(self) -> float:
        """The watched process's CPU microseconds for each row."""
        return (self.last.cpu - self.first.cpu) / self.rows * 1e6

    @property
    def stolen(self) -> float:
        """How many of the machine's processors its host took meanwhile, on average."""
        return (self.last.stolen - self.first.stolen) / (self.last.at - self.first.at)


@dataclass(frozen=True, slots=True)
class BlackHole:
    """A running sink."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    def watch(self, pid: int, marks: Sequence[int]) -> None:
        """Begin anew: note when so many rows have come, and the process's CPU time then."""
        self._ask(f"watch?pid={pid}&marks={','.join(map(str, marks))}")

    def rows(self) -> int:
        """Return how many rows have come."""
        return int(self._ask("found")["rows"])

    def until(self, marks: int, alive: Callable[[], None], patience_seconds: float) -> list[Mark]:
        """Wait until so many marks are noted.

        Args:
            marks: how many.
            alive: raises when what is watched has ended.
            patience_seconds: without a row.

        Raises:
            StackError: no row came for so long.
        """
        rows, changed = -1, time.monotonic()
        while True:
            found = self._ask("found")
            if len(found["marks"]) >= marks:
                return [Mark(**mark) for mark in found["marks"]]
            alive()
            if found["rows"] != rows:
                rows, changed = found["rows"], time.monotonic()
            if time.monotonic() - changed > patience_seconds:
                raise StackError(f"no row for {patience_seconds:.0f} s, {rows} so far")
            time.sleep(_LOOK_SECONDS)

    def _ask(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=10) as answer:  # noqa: S310 - our own
            found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def black_hole(upstream: int | None = None) -> Iterator[BlackHole]:
    """Lend a sink in a process of its own.

    Args:
        upstream: port of the ClickHouse that answers questions.
    """
    argv = [sys.executable, "-m", "benchmarks.sink", *([str(upstream)] if upstream else [])]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield BlackHole(int((process.stdout or sys.stdin).readline()), process.pid)
        finally:
            process.terminate()
