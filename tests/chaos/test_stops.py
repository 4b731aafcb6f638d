"""SIGTERM and SIGINT at any moment: the worker ends with 0 within the grace, leaves no upload open and nothing half done (docs/chaos.md)."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import pytest

from benchmarks.chaos.crew import SETTINGS, Crew, Load
from tests.integration.pipeline.pipeline import page
from tests.integration.pipeline.store import bucket_view
from tests.tally import Tally
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.stack import Stack
from voc_stream.devstack.worker_process import WorkerProcess

GRACE_SECONDS = 30.0
PATIENCE_SECONDS = 90.0
LOOK_SECONDS = 0.05
# Lines that the worker has said since its start: over the first services, joining and recovery to the first work. Before the first it only imports.
MOMENTS = (0, 0, 1, 10, 20, 30, 35, 40, 45, 50, 60, 80)
# After another worker's start.
REBALANCES = (2.0, 2.75, 3.5, 4.25)
# The recorder simulator forgets its calls when it ends, so it hangs instead.
GONE: dict[str, tuple[Callable[[Stack, str], None], Callable[[Stack, str], None]]] = {
    "postgres": (Stack.stop_part, Stack.start_part),
    "s3": (Stack.stop_part, Stack.start_part),
    "clickhouse": (Stack.stop_part, Stack.start_part),
    "scoring": (Stack.stop_part, Stack.start_part),
    "recorder": (Stack.pause, Stack.resume),
    "kafka": (Stack.stop_part, Stack.start_part),
}
NAMES = {"scoring": "scorer"}

pytestmark = pytest.mark.timeout(900)


class Stops:
    """Stops workers and remembers how they ended."""

    def __init__(self) -> None:
        self._numbers = cycle((signal.SIGTERM, signal.SIGTERM, signal.SIGINT))
        self.seconds: list[float] = []
        self.wrong: list[str] = []

    def stop(self, worker: WorkerProcess, when: str) -> None:
        """Signal a worker and wait for its end."""
        number, began = next(self._numbers), time.monotonic()
        worker.signal(number)
        while (code := worker.poll()) is None and time.monotonic() < began + GRACE_SECONDS:
            time.sleep(LOOK_SECONDS)
        self.seconds.append(time.monotonic() - began)
        if code is None:
            worker.kill()
        if code != 0:
            self.wrong.append(f"{when}: {number.name} ended it with {code}, {self.seconds[-1]:.1f} s; its log ends with\n{worker.last_lines(12)}")

    def told(self, load: Load) -> str:
        """Return what was counted."""
        return f"{load.events} events, {len(load.calls)} calls; {len(self.seconds)} stops, longest {max(self.seconds):.1f} s"


class Single:
    """One worker on the crew's stack, whose own workers rest."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.state = crew.place.folder / "crew" / "single"
        self.worker = self.another("single")
        self.guest = self.another("single-guest")

    def another(self, name: str) -> WorkerProcess:
        """Return a worker that is not started."""
        folder = self.crew.place.folder
        return WorkerProcess(folder.absolute(), folder / "crew" / name, folder / "crew" / "logs" / f"{name}.log", SETTINGS)

    def said(self) -> int:
        """Return how many lines the worker has written to its log."""
        return self.worker.log.read_bytes().count(b"\n") if self.worker.log.exists() else 0

    def until_said(self, lines: int) -> None:
        """Wait for so many, or until it is ready: then it has little more to say."""
        while self.said() < lines and not self.worker.ready():
            assert self.worker.poll() is None, self.worker.last_lines()
            time.sleep(LOOK_SECONDS)

    def conclude(self, load: Load, stops: Stops, tally: Tally) -> None:
        """Let the crew finish what is left, and count."""
        uploads = asyncio.run(self._open_uploads())
        self.crew.workers.start()
        result = self.crew.finish(load)
        tally.count(stops.told(load), lost=result.lost, duplicated=result.duplicated)
        assert stops.wrong == []
        assert uploads == []
        assert result.problems == []

    async def _open_uploads(self) -> list[str]:
        async with bucket_view(self.crew.place.settings) as bucket:
            return await bucket.open_uploads()


@pytest.fixture
def single(shared_crew: Crew) -> Iterator[Single]:
    shared_crew.workers.stop()
    made = Single(shared_crew)
    yield made
    for worker in (made.worker, made.guest):
        try:
            worker.kill()
        except StackError:  # never started
            continue


def test_at_any_moment_of_a_start_a_stop_is_a_stop(single: Single, tally: Tally) -> None:
    load = single.crew.load(events=8_000, calls=12, seconds=60, seed=11)
    stops = Stops()
    for number, moment in enumerate(MOMENTS):
        if number % 2:
            # A worker without its tables recovers them from Kafka.
            _without_tables(single.state)
        said = single.said()
        single.worker.start()
        _until_it_listens(single.worker)
        single.until_said(said + moment)
        stops.stop(single.worker, f"after {moment} lines")
    single.conclude(load, stops, tally)


def test_in_the_middle_of_a_rebalance_a_stop_is_a_stop(single: Single, tally: Tally) -> None:
    load = single.crew.load(events=8_000, calls=12, seconds=45, seed=12)
    stops = Stops()
    for moment in REBALANCES:
        single.worker.start()
        single.worker.wait_ready()
        single.guest.start()
        time.sleep(moment)
        stops.stop(single.worker, f"{moment} s after another worker's start")
        stops.stop(single.guest, "while it takes over")
    single.conclude(load, stops, tally)


def test_with_a_dependency_gone_a_stop_is_a_stop(single: Single, tally: Tally) -> None:
    load = single.crew.load(events=8_000, calls=6, seconds=60, seed=13)
    stops = Stops()
    stack = single.crew.place.stack
    for part, (go, come_back) in GONE.items():
        single.worker.start()
        single.worker.wait_ready()
        # Without work nobody would miss it.
        load.calls += single.crew.calls(3, every_seconds=1)
        go(stack, part)
        try:
            _until_unready(single.worker, NAMES.get(part, part))
            stops.stop(single.worker, f"{part} is gone")
            if part == "kafka":
                single.worker.start()
                time.sleep(MOMENTS[-1])
                stops.stop(single.worker, "kafka was gone at the start")
        finally:
            come_back(stack, part)
    single.conclude(load, stops, tally)


def _until_it_listens(worker: WorkerProcess) -> None:
    """Wait until the process has a handler of its own for SIGTERM."""
    status = Path(f"/proc/{worker.pid}/status")
    while not int(status.read_text().partition("SigCgt:")[2].split()[0], 16) >> (signal.SIGTERM - 1) & 1:
        time.sleep(LOOK_SECONDS / 5)


def _without_tables(state: Path) -> None:
    shutil.rmtree(state, ignore_errors=True)


def _until_unready(worker: WorkerProcess, dependency: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status, answer = page(worker, "readyz")
        if status == 503 and any(reason.startswith(f"{dependency}: ") for reason in answer["reasons"]):
            return
        time.sleep(LOOK_SECONDS)
    raise StackError(f"/readyz did not name {dependency}:\n{worker.last_lines()}")
