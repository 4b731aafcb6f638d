"""Downloads a second while the recorder takes its time to answer: the share of concurrency / latency that is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.bare_client import Bare, bare_client
from benchmarks.field import Field
from benchmarks.gateway import gateway
from benchmarks.processes import MACHINE, CpuLog
from benchmarks.report import Report, Target, say, table
from benchmarks.stub import stub

IN_FLIGHT = 32
SHARE = 0.95
SECONDS = 5.0
# Replay latency → recordings, enough for some seconds of a steady phase.
RUNS = {0.2: 1600, 1.0: 400}
# The first replays wait until the calls behind them are found and enriched, which costs CPU of its own.
HELD_SECONDS = 15
WARM_UP = 200
# The first sweep finds them all; the next comes after the end. Nothing answers at the scorer's address: scoring waits, the worker is not ready,
# and the downloads must not wait for the scoring.
_SETTINGS = {
    "AVAYA_SWEEP_SECONDS": "900",
    "DOWNLOAD_IN_FLIGHT": str(IN_FLIGHT),
    "DOWNLOAD_SLOW_ABOVE_LAG": "0",
    "SCORING_URL": "http://127.0.0.1:9",
}
# Rounds of a bare client, before each latency's runs.
BARE_ROUNDS = 12
_COLUMNS = (
    "replay latency s",
    "as a bare client sees it",
    "object store",
    "recordings",
    "a second",
    "of in flight / latency",
    "of a bare client's",
    "mean s of a place",
)
_DONE = "SELECT extract(epoch FROM created_at)::float8 AS at FROM audio_asset WHERE call_id = ANY(%s) ORDER BY at"


@dataclass(frozen=True, slots=True)
class Store:
    """Where recordings go: the worker's settings for it, and its process where it is none of the stack's."""

    name: str
    settings: Mapping[str, str]
    pids: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Run:
    """Downloads in the steady phase.

    Args:
        cpu: milliseconds a download, by process.
        cores: what all of them kept busy.
        machine: what the whole machine kept busy, others' work included.
        bare: what a client reached just before that only reads.
    """

    latency: float
    store: str
    recordings: int
    per_second: float
    cpu: Mapping[str, float]
    cores: float
    machine: float
    bare: Bare

    @property
    def share(self) -> float:
        """Of in flight / latency, the latency as ordered from the simulator."""
        return self.per_second * self.latency / IN_FLIGHT

    @property
    def seen_share(self) -> float:
        """Of in flight / latency, the latency as a bare client measures it: the simulator's own work and the machine's are in it."""
        return self.per_second * self.bare.latency / IN_FLIGHT


def measure() -> Report:
    """Download from a recorder that takes 0.2 s and 1 s to answer, into versitygw (moto where that is not) and into a store that forgets."""
    with Field() as field, stub("s3") as (forgetful, pid), gateway(field.folder, field.settings.bucket) as real:
        first = Store("versitygw", real.settings, {"s3": real.pid}) if real else Store("moto", {}, {})
        stores = (first, Store("stub", {"S3_ENDPOINT_URL": forgetful}, {"s3": pid}))
        say(f"downloads: {WARM_UP} to warm up")
        _run(field, 0.2, WARM_UP, stores[0], _bare(field, 0.2))
        runs = []
        for latency, count in RUNS.items():
            bare = _bare(field, latency)
            runs += [_run(field, latency, count, store, bare) for store in stores]
    table(
        f"downloads: {IN_FLIGHT} in flight, {SECONDS:.0f} s of tone ({SECONDS * 16:.0f} kB) each",
        _COLUMNS,
        [
            (
                run.latency,
                run.bare.latency,
                run.store,
                run.recordings,
                run.per_second,
                run.share,
                run.per_second / run.bare.per_second,
                IN_FLIGHT / run.per_second,
            )
            for run in runs
        ],
    )
    names = list(runs[0].cpu)
    table(
        "downloads: CPU milliseconds a download, by process, and the cores that these, and all on the machine, kept busy",
        ("latency s", "store", *names, "all", "cores", "machine"),
        [(run.latency, run.store, *(run.cpu[name] for name in names), sum(run.cpu.values()), run.cores, run.machine) for run in runs],
    )
    report = Report("downloads")
    for run in runs:
        name = f"{run.latency * 1000:.0f}ms_{run.store}"
        figures = {
            "per_s": run.per_second,
            "share": run.share,
            "seen_share": run.seen_share,
            "of_bare": run.per_second / run.bare.per_second,
            "worker_cpu_ms": run.cpu["worker"],
            "cores": run.cores,
            "machine_cores": run.machine,
        }
        report.add({f"{name}_{figure}": value for figure, value in figures.items()})
        report.targets.append(Target(f"share of {IN_FLIGHT} / {run.latency:g} s, into {run.store}", run.share, SHARE, at_least=True))
        seen = f"share of {IN_FLIGHT} / {run.bare.latency:.3f} s, the latency that a bare client sees, into {run.store}"
        report.targets.append(Target(seen, run.seen_share, SHARE, at_least=True))
    return report


def _bare(field: Field, latency: float) -> Bare:
    """Read recordings of that latency into nothing."""
    count = BARE_ROUNDS * IN_FLIGHT
    ended_at = datetime.now(UTC) - timedelta(days=2)
    calls = field.new_calls(kind="tone", seconds=SECONDS, count=count, ended_at=ended_at.isoformat())
    field.simulator.ask("faults", {"kind": "latency", "command": "replay", "seconds": latency})
    found = bare_client(field.settings, calls, IN_FLIGHT)
    field.simulator.ask("reset", {})
    say(f"a bare client: {found.per_second:.1f} a second at {latency:g} s, {1000 * found.latency:.0f} ms each as it sees it")
    return found


def _run(field: Field, latency: float, count: int, store: Store, bare: Bare) -> Run:
    say(f"downloads: {count} at {latency:g} s into {store.name}")
    # A second apart: of those that start in the same second a search tells no more than the recorder's cap.
    ended_at = datetime.now(UTC) - timedelta(seconds=600 + count)
    calls = field.new_calls(kind="tone", seconds=SECONDS, count=count, ended_at=ended_at.isoformat(), every_seconds=1)
    field.simulator.ask("faults", {"kind": "latency", "command": "replay", "seconds": HELD_SECONDS, "times": IN_FLIGHT})
    field.simulator.ask("faults", {"kind": "latency", "command": "replay", "seconds": latency})
    with (
        field.worker({**_SETTINGS, **store.settings}, name=f"{store.name}-{latency:g}-{count}", ready=False) as worker,
        CpuLog({"worker": worker.pid, **field.pids, **store.pids}) as log,
    ):
        field.until_downloaded(calls)
    at = [row["at"] for row in field.query(_DONE, calls)]
    # Whole rounds of all places, without those at the beginning and the last, in which not all are taken.
    first, last = 3 * IN_FLIGHT, (count // IN_FLIGHT - 2) * IN_FLIGHT
    stretch = at[last] - at[first]
    used = log.between(at[first], at[last])
    machine = used.pop(MACHINE) / stretch
    cpu = {name: 1000 * seconds / (last - first) for name, seconds in used.items()}
    field.simulator.ask("reset", {})
    return Run(latency, store.name, count, (last - first) / stretch, cpu, sum(used.values()) / stretch, machine, bare)
