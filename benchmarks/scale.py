"""One, two and three workers on one backlog of customer events: `make scale` (docs/scaling.md).

Each worker may use so much of a core and no more, as a pod with a CPU limit, so that three of them, the broker and the sink fit on a machine of two
cores. They join one after the other while the backlog is being taken; when all three have been measured they go on until nothing is left.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

import click

from benchmarks import ours, voc_events
from benchmarks.black_hole import BlackHole, black_hole
from benchmarks.command import run
from benchmarks.field import Field
from benchmarks.filling import fill
from benchmarks.groups import Group, Join
from benchmarks.processes import MACHINE, CpuLog
from benchmarks.quota import put, quota
from benchmarks.report import CONSOLE, Report, Target, say, table
from benchmarks.rival_process import PYTHON
from benchmarks.rivals_part import PARTS
from benchmarks.watching_rows import RowsLog
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.worker_process import ROOT, WorkerProcess

PLOT = ROOT / "docs" / "img" / "scaling.svg"
TOPICS = ("voc.calls", "voc.actions", "voc.metrics")
WORKERS = 3
SPREAD_SECONDS = 10.0
MOST_CPU = 1.1
# From a worker's readiness to its measurement: the first fetches, imports and caches.
SETTLE_SECONDS = 5.0
PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Phase:
    """What so many workers did.

    Attributes:
        workers: how many.
        join: of the last of them.
        ready_seconds: from its join until it was ready.
        quiet_seconds: the longest stretch since its start in which nobody stored a row.
        per_second: events stored.
        cpu_us: of all workers together, an event.
        cores: kept busy, by part.
    """

    workers: int
    join: Join
    ready_seconds: float
    quiet_seconds: float
    per_second: float
    cpu_us: float
    cores: dict[str, float]


@dataclass(slots=True)
class Trial:
    """Workers of one group on one backlog.

    Attributes:
        cores: of each worker; 0: as many as it wants.
        seconds: for which each number of workers is measured.
        moments: what happened, by the time, for the plot.
    """

    place: Field
    hole: BlackHole
    rows: RowsLog
    group: str
    cores: float
    seconds: float
    workers: list[WorkerProcess] = field(default_factory=list)
    moments: list[tuple[float, str]] = field(default_factory=list)

    def add(self, stack: ExitStack) -> Phase:
        """Let one more worker join, and measure."""
        number = len(self.workers) + 1
        started = time.time()
        environment = ours.environment(self.group, TOPICS, {"CLICKHOUSE_PORT": str(self.hole.port)})
        self.workers.append(stack.enter_context(self.place.worker(environment, name=f"worker-{number}", ready=False)))
        join = asyncio.run(self._members().until_spread(number, self.must_run, PATIENCE_SECONDS))
        say(f"worker {number}: in the group {join.joined - started:.1f} s after its start, partitions spread {join.seconds:.1f} s later")
        self.workers[-1].wait_ready()
        ready = time.time()
        self._limit(stack, number)
        time.sleep(SETTLE_SECONDS)
        quiet = self.rows.longest_quiet(started, time.time())
        self.moments.append((join.joined, f"{number}"))
        per_second, cpu_us, cores = self._measure()
        say(f"{number} workers: {per_second:.0f} events/s, {cpu_us:.1f} µs CPU an event; busy cores: {_words(cores)}")
        return Phase(number, join, max(0.0, ready - join.joined), quiet, per_second, cpu_us, cores)

    def drain(self, events: int) -> int:
        """Wait until everything is stored and committed; returns how many rows came.

        Raises:
            StackError: nothing has moved for a while.
        """
        last, changed = (-1, -1), time.monotonic()
        while (found := (asyncio.run(self._members().lag()), self.hole.rows()))[0] or found[1] < events:
            self.must_run()
            if found != last:
                last, changed = found, time.monotonic()
            if time.monotonic() - changed > PATIENCE_SECONDS:
                raise StackError(f"nothing has moved for {PATIENCE_SECONDS:.0f} s: {found[0]} not committed, {found[1]} rows of {events}")
            time.sleep(0.5)
        self.moments.append((time.time(), "drained"))
        return found[1]

    def must_run(self) -> None:
        """Raise when a worker has ended.

        Raises:
            StackError: with the end of its log.
        """
        for worker in self.workers:
            ours.must_run(worker)

    def _members(self) -> Group:
        return Group(self.place.settings.kafka_bootstrap, self.group, TOPICS, ours.PARTITIONS)

    def _limit(self, stack: ExitStack, number: int) -> None:
        if self.cores:
            put(stack.enter_context(quota(f"{self.group}-{number}", self.cores)), self.workers[-1].pid)

    def _measure(self) -> tuple[float, float, dict[str, float]]:
        workers = {f"worker {number}": worker.pid for number, worker in enumerate(self.workers, 1)}
        with CpuLog({**workers, "kafka": self.place.pids["kafka"], "sink": self.hole.pid}) as log:
            begin, before = time.time(), self.hole.rows()
            time.sleep(self.seconds)
            end, after = time.time(), self.hole.rows()
        self.must_run()
        used = log.between(begin, end)
        mine = sum(used[name] for name in workers)
        cores = {name: used[name] / (end - begin) for name in ("kafka", "sink", MACHINE)} | {"workers": mine / (end - begin)}
        return (after - before) / (end - begin), mine / (after - before) * 1e6, cores


@click.command()
@click.option("--events", default=1_500_000, show_default=True, type=click.IntRange(min=10_000), help="Of the backlog.")
@click.option("--seconds", default=15.0, show_default=True, type=click.FloatRange(min=1.0), help="For which each number of workers is measured.")
@click.option("--cores", default=0.4, show_default=True, type=click.FloatRange(min=0.0), help="That a worker gets; 0: no limit.")
def main(events: int, seconds: float, cores: float) -> None:
    """Let one, two, three workers take a backlog, and see what each adds."""
    group = f"scale-{uuid.uuid4().hex[:8]}"
    with Field(parts=PARTS) as place, black_hole(int(place.settings.clickhouse_port)) as hole:
        ours.make_topics(place, group, TOPICS)
        asyncio.run(fill(list(place.settings.kafka_bootstrap), TOPICS, ours.PARTITIONS, voc_events.records(events)))
        say(f"{events} events are waiting in {len(TOPICS)} topics of {ours.PARTITIONS} partitions")
        with RowsLog(hole) as rows, ExitStack() as stack:
            trial = Trial(place, hole, rows, group, cores, seconds)
            phases = [trial.add(stack) for _ in range(WORKERS)]
            left = events - hole.rows()
            stored = trial.drain(events)
    if left <= 0:
        raise StackError("the backlog was taken before the last worker was measured: more --events are needed")
    _show(phases, cores)
    _draw(rows, trial.moments, events)
    sys.exit(0 if _conclude(phases, stored - events) else 1)


def _show(phases: Sequence[Phase], cores: float) -> None:
    columns = (
        "workers",
        "events/s",
        "x one",
        "CPU µs",
        "x one",
        "workers' cores",
        "Kafka's",
        "sink's",
        "machine's",
        "spread s",
        "ready s",
        "quiet s",
    )
    one = phases[0]
    table(
        f"scale: one backlog, {f'{cores:g} of a core' if cores else 'no limit'} a worker",
        columns,
        [
            (
                each.workers,
                round(each.per_second),
                round(each.per_second / one.per_second, 2),
                round(each.cpu_us, 1),
                round(each.cpu_us / one.cpu_us, 2),
                *(round(each.cores[name], 2) for name in ("workers", "kafka", "sink", MACHINE)),
                *(round(value, 1) for value in (each.join.seconds, each.ready_seconds, each.quiet_seconds)),
            )
            for each in phases
        ],
    )


def _conclude(phases: Sequence[Phase], again: int) -> bool:
    """Print the targets and the last line; whether all are met."""
    one, last = phases[0], phases[-1]
    report = Report("scale")
    report.add({f"w{each.workers}": each.per_second for each in phases} | {"cpu_us_w1": one.cpu_us, f"cpu_us_w{WORKERS}": last.cpu_us})
    report.targets = [
        *(Target(f"partitions spread after join {each.workers}", each.join.seconds, SPREAD_SECONDS, " s") for each in phases),
        Target("CPU of an event with three workers, of that with one", last.cpu_us / one.cpu_us, MOST_CPU, " x"),
    ]
    CONSOLE.print(f"  drained: lag 0, every event stored, {again} inserted again after a join under the token of the first time")
    report.conclude()
    return all(target.met for target in report.targets)


def _draw(rows: RowsLog, moments: Sequence[tuple[float, str]], events: int) -> None:
    if not PYTHON.exists():
        say("no plot: the environment with matplotlib is not there (make scale makes it)")
        return
    data = {"samples": [asdict(sample) for sample in rows.samples], "moments": moments, "events": events}
    subprocess.run([PYTHON, "-m", "benchmarks.rivals.plot_scale", PLOT], input=json.dumps(data), text=True, cwd=ROOT, check=True, timeout=60)
    say(f"plot: {PLOT.relative_to(ROOT)}")


def _words(cores: dict[str, float]) -> str:
    return ", ".join(f"{name} {busy:.2f}" for name, busy in cores.items())


if __name__ == "__main__":
    run(main, "scale")
