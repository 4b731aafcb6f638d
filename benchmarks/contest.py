"""Our worker and what a team would write instead, one after another over the same events on the same broker into the same sink."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median

from benchmarks import ours, voc_events
from benchmarks.black_hole import BlackHole, Stretch
from benchmarks.field import Field
from benchmarks.filling import Headers, fill
from benchmarks.processes import peak_mib
from benchmarks.report import say
from benchmarks.rival_process import rival_process

# Rows before the measured ones (the first fetches, imports and caches) and after them (so that the end is as busy as the beginning).
BEFORE = 30_000
AFTER = 30_000
PATIENCE_SECONDS = 60.0
# A run of which the host took more than this of a processor away tells of its other guests: it is repeated, whoever's it is.
MOST_STOLEN = 0.15
TRIES = 2


@dataclass(frozen=True, slots=True)
class Running:
    """A contestant's process.

    Attributes:
        must_run: raises when it has ended.
    """

    pid: int
    must_run: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One row of the table.

    Attributes:
        letter: what tables call it by.
        module: of `benchmarks.rivals`; none for our own worker.
        commits: whether it commits offsets to Kafka after its inserts, so that it may be compared.
        listed: whether it is one of those that we are held to; the others are there for scale.
        settings: environment on top.
    """

    letter: str
    name: str
    guarantee: str
    module: str | None = None
    commits: bool = True
    listed: bool = True
    settings: Mapping[str, str] | None = None


PLAIN = Contestant("a", "voc-stream, annotation off", "exactly-once effect", settings={"VOC_ANNOTATE": "off"})
FULL = Contestant("b", "voc-stream, annotation, dedup, ledger", "exactly-once effect")
FAUST = Contestant("d", "stock Faust, take(500, 2)", "loses a batch that raises", "faust_take")
CONTESTANTS = (
    PLAIN,
    FULL,
    Contestant("c", "plain aiokafka", "at least once", "aiokafka_batches"),
    FAUST,
    Contestant("e", "Quix Streams", "at least once", "quix"),
    Contestant("f", "Bytewax", "none: keeps no position", "bytewax_flow", commits=False),
    Contestant("g", "sentry-arroyo", "at least once", "arroyo_batches"),
    Contestant("c+", "plain aiokafka, tuned by hand", "at least once", "aiokafka_tuned", listed=False),
    Contestant("h", "aiokafka getmany, counting only", "none: stores nothing", "aiokafka_count", commits=False),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What a contestant did once."""

    per_second: float
    cpu_us: float
    peak_mib: float
    load: float
    stolen: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What a contestant did in all rounds: medians."""

    contestant: Contestant
    runs: Sequence[Run]

    @property
    def per_second(self) -> float:
        """Events a second."""
        return median(run.per_second for run in self.runs)

    @property
    def cpu_us(self) -> float:
        """CPU microseconds an event."""
        return median(run.cpu_us for run in self.runs)

    @property
    def peak_mib(self) -> float:
        """The high-water mark of resident memory."""
        return median(run.peak_mib for run in self.runs)

    @property
    def load(self) -> float:
        """The highest load before a run."""
        return max(run.load for run in self.runs)

    @property
    def stolen(self) -> float:
        """The most that the host took in a run, in processors."""
        return max(run.stolen for run in self.runs)


@dataclass(frozen=True, slots=True)
class Course:
    """A topic that is full, and the sink."""

    field: Field
    hole: BlackHole
    topic: str
    events: int

    def fair_run(self, contestant: Contestant) -> Run:
        """Let a contestant run until the host leaves the machine alone; after `TRIES` the one that it disturbed least counts."""
        runs = []
        for _ in range(TRIES):
            runs.append(self.run(contestant))
            if runs[-1].stolen <= MOST_STOLEN:
                return runs[-1]
        return min(runs, key=lambda run: run.stolen)

    def run(self, contestant: Contestant) -> Run:
        """Let a contestant run from the topic's beginning until the measured events are stored.

        Raises:
            StackError: it ended, or stopped storing.
        """
        load = os.getloadavg()[0]
        with self._start(contestant) as process:
            self.hole.watch(process.pid, (BEFORE, BEFORE + self.events))
            first, last = self.hole.until(2, process.must_run, PATIENCE_SECONDS)
            peak = peak_mib(process.pid)
        stretch = Stretch(first, last)
        run = Run(stretch.per_second, stretch.cpu_us, peak, load, stretch.stolen)
        name = f"({contestant.letter}) {contestant.name}"
        say(f"{name}: {run.per_second:.0f}/s, {run.cpu_us:.1f} µs CPU an event, peak {peak:.0f} MiB, load before {load:.1f}, stolen {run.stolen:.2f}")
        return run

    @contextmanager
    def _start(self, contestant: Contestant) -> Iterator[Running]:
        group = f"bench-{contestant.letter}-{uuid.uuid4().hex[:8]}"
        if contestant.module is None:
            settings = {"CLICKHOUSE_PORT": str(self.hole.port), **(contestant.settings or {})}
            with ours.our_worker(self.field, group, (self.topic,), settings) as worker:
                yield Running(worker.pid, partial(ours.must_run, worker))
            return
        env = {
            "BENCH_BOOTSTRAP": self.field.settings.kafka_bootstrap[0],
            "BENCH_TOPIC": self.topic,
            "BENCH_GROUP": group,
            "BENCH_SINK": self.hole.url,
            "BENCH_FOLDER": str(self.field.folder),
            **(contestant.settings or {}),
        }
        with rival_process(contestant.module, env, self.field.folder / "logs" / f"{group}.log") as rival:
            yield Running(rival.pid, rival.must_run)


def fill_course(field: Field, hole: BlackHole, events: int, headers: Iterable[Headers] | None = None) -> Course:
    """Make a topic and fill it with the events to measure and those around them, with these headers if any."""
    topic = "voc.bench"
    ours.make_topics(field, "bench-topics", (topic,))
    count = BEFORE + events + AFTER
    filled = asyncio.run(fill(list(field.settings.kafka_bootstrap), (topic,), ours.PARTITIONS, voc_events.records(count), headers))
    say(f"{filled} events in {topic}, {ours.PARTITIONS} partitions")
    return Course(field, hole, topic, events)


def contest(course: Course, rounds: int, contestants: Sequence[Contestant] = CONTESTANTS) -> list[Standing]:
    """Run everybody so many times, interleaved: each round begins with another, so that nobody always follows the same one."""
    runs: dict[str, list[Run]] = {contestant.letter: [] for contestant in contestants}
    for number in range(rounds):
        turn = number * len(contestants) // rounds
        for contestant in (*contestants[turn:], *contestants[:turn]):
            runs[contestant.letter].append(course.fair_run(contestant))
    return [Standing(contestant, runs[contestant.letter]) for contestant in contestants]
