"""What workers take while a run lasts: memory, file descriptors, threads, tables; and how far behind they are."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from aiokafka.errors import KafkaError
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.chaos.crew import Crew
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.worker_process import WorkerProcess

_EVERY_SECONDS = 5.0
# Of a process's life, what counts as before and as after.
_BEFORE, _AFTER = (0.25, 0.5), (0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one worker.

    Attributes:
        at: seconds since the beginning.
        table_mib: of all its tables on disk, with what RocksDB has not merged yet and its logs.
        table_rows: of all its tables, as it tells itself.
    """

    at: float
    worker: int
    pid: int
    rss_mib: float
    files: int
    threads: int
    table_mib: float
    table_rows: float


class Watch:
    """Looks every five seconds while the block runs.

    Args:
        crew: at whom.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.samples: list[Sample] = []
        self.lags: list[tuple[float, int]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def growth(self, worker: int, figure: str) -> float:
        """Return by how much a figure of a worker grew in its last process's life: median of the last quarter less that of the second."""
        lived = [sample for sample in self.samples if sample.worker == worker]
        return growth([float(getattr(sample, figure)) for sample in lived if sample.pid == lived[-1].pid])

    def _run(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            at = time.monotonic() - self._began
            for number, worker in enumerate(self._crew.workers):
                with suppress(psutil.Error, StackError, OSError):  # it is ended, or asleep
                    self.samples.append(_look(at, number, worker, self._crew.folder / f"state-{number}"))
            with suppress(KafkaError, OSError):
                self.lags.append((at, self._crew.lag()))


def growth(values: Sequence[float]) -> float:
    """Return the median of the last quarter less that of the second; 0 of a few values."""
    if len(values) < 8:
        return 0.0
    before, after = (statistics.median(values[int(len(values) * start) : int(len(values) * stop)]) for start, stop in (_BEFORE, _AFTER))
    return after - before


def _look(at: float, number: int, worker: WorkerProcess, state: Path) -> Sample:
    pid, rows = worker.pid, _table_rows(worker.metrics())
    process = psutil.Process(pid)
    with process.oneshot():
        rss, threads = process.memory_info().rss / (1 << 20), process.num_threads()
    return Sample(at, number, pid, rss, process.num_fds(), threads, _folder_mib(state), rows)


def _table_rows(metrics: str) -> float:
    families = text_string_to_metric_families(metrics)
    return sum(sample.value for family in families if family.name == "voc_table_rows" for sample in family.samples)


def _folder_mib(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # RocksDB removes what it has merged
            total += path.stat().st_size if path.is_file() else 0
    return total / (1 << 20)
