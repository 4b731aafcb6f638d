"""What processes take of the machine, read from /proc."""

from __future__ import annotations

import bisect
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

# A word of the command line → the part that it belongs to.
_WORDS = {
    "kafka.Kafka": "kafka",
    "voc_stream.devstack.s3": "s3",
    "voc_stream.devstack.clickhouse": "clickhouse",
    "voc_stream.devstack.recorder": "recorder",
    "voc_stream.scoring": "scoring",
}


MACHINE = "machine"
_LOOK_FOR_CHILDREN_SECONDS = 5.0


def parts_of(supervisor: int) -> dict[str, int]:
    """Return the process id of each part of a stack."""
    found: dict[str, int] = {}
    for child in psutil.Process(supervisor).children():
        with suppress(psutil.Error):
            words = child.cmdline()
            name = next((part for word, part in _WORDS.items() if word in words), "postgres" if words[0].endswith("/postgres") else None)
            if name is not None:
                found[name] = child.pid
    return found


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    return float(psutil.Process(pid).memory_info().rss) / (1 << 20)


def forget_peak(pid: int) -> None:
    """Let the kernel's high-water mark of a process's resident memory begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mib(pid: int) -> float:
    """Return the high-water mark of a process's resident memory, in MiB; it misses nothing, as sampling would."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def family(pid: int) -> list[psutil.Process]:
    """Return a process and its children; this reads the whole process table."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def settled_mib(pid: int, *, quiet_seconds: float = 3.0, most_seconds: float = 30.0) -> float:
    """Wait until a process's memory stands still, and return it."""
    deadline = time.monotonic() + most_seconds
    last = resident_mib(pid)
    while time.monotonic() < deadline:
        time.sleep(quiet_seconds)
        now = resident_mib(pid)
        if abs(now - last) < 0.5:
            return now
        last = now
    return last


class CpuLog:
    """The CPU time of processes with their children, and of the whole machine, noted while the block runs, to be asked for any stretch of it.

    Args:
        pids: by name.
        every: seconds between two notes.
    """

    def __init__(self, pids: Mapping[str, int], every: float = 0.25) -> None:
        self._pids = dict(pids)
        self._every = every
        self._seen: dict[psutil.Process, tuple[str, float]] = {}
        self._times: list[float] = []
        self._used: list[Mapping[str, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cpu-log", daemon=True)

    def __enter__(self) -> Self:
        self._look_for_children()
        self._note()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> dict[str, float]:
        """Return the seconds that each, and `MACHINE`, used between two moments (of `time.time`), of the notes nearest to them."""
        first, last = self._nearest(begin), self._nearest(end)
        stretch = (self._times[last] - self._times[first]) or 1.0
        return {name: (self._used[last][name] - self._used[first][name]) * (end - begin) / stretch for name in (*self._pids, MACHINE)}

    def _nearest(self, moment: float) -> int:
        return min(bisect.bisect_left(self._times, moment), len(self._times) - 1)

    def _run(self) -> None:
        looked = time.monotonic()
        while not self._ended.wait(self._every):
            if time.monotonic() - looked > _LOOK_FOR_CHILDREN_SECONDS:
                self._look_for_children()
                looked = time.monotonic()
            self._note()

    def _look_for_children(self) -> None:
        for name, pid in self._pids.items():
            with suppress(psutil.NoSuchProcess):
                for process in family(pid):
                    self._seen.setdefault(process, (name, 0.0))

    def _note(self) -> None:
        times = psutil.cpu_times()
        used: defaultdict[str, float] = defaultdict(float)
        for process, (name, before) in self._seen.items():
            seconds = before
            with suppress(psutil.NoSuchProcess):
                taken = process.cpu_times()
                seconds = taken.user + taken.system
            self._seen[process] = (name, seconds)
            used[name] += seconds
        used[MACHINE] = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
        self._times.append(time.time())
        self._used.append(used)
