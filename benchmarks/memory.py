"""The worker's memory while long recordings pass through download and score."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.field import AT_ONCE, Field
from benchmarks.processes import cpu_seconds, forget_peak, peak_mib, settled_mib
from benchmarks.report import Report, Target, say, table
from benchmarks.stub import stub

ABOVE_IDLE = 64.0
IN_ALL = 400.0
TWO_HOURS = 7200.0
_HELD_SECONDS = 10
_COLUMNS = ("recordings", "minutes each", "MiB each", "idle MiB", "peak MiB", "above idle MiB", "replays at once", "seconds", "worker CPU s")


@dataclass(frozen=True, slots=True)
class Passage:
    """What a fresh worker took while recordings passed."""

    recordings: int
    seconds: float
    mib: float
    idle: float
    peak: float
    at_once: int
    took: float
    cpu: float

    def row(self) -> tuple[object, ...]:
        """Return a row of the table."""
        above = self.peak - self.idle
        return (self.recordings, self.seconds / 60, self.mib, self.idle, self.peak, above, self.at_once, round(self.took, 1), round(self.cpu, 1))


def measure(many: int = 32) -> Report:
    """Pass one of ten minutes, one of two hours, and many of two hours at once; the scorer answers as soon as it has read them.

    Args:
        many: how many at once; as many are downloaded, and scored, at a time.
    """
    with Field() as field, stub("scorer") as (scorer, _):
        settings = {**AT_ONCE, "SCORING_URL": scorer, "DOWNLOAD_IN_FLIGHT": str(many), "SCORING_IN_FLIGHT": str(many)}
        short, long, all_at_once = (_pass(field, settings, number, seconds) for number, seconds in ((1, 600.0), (1, TWO_HOURS), (many, TWO_HOURS)))
    table("memory: a fresh worker's resident memory, by the kernel's high-water mark", _COLUMNS, [each.row() for each in (short, long, all_at_once)])
    report = Report("memory")
    report.add(
        {
            "idle_mib": long.idle,
            "ten_minutes_above_idle_mib": short.peak - short.idle,
            "two_hours_above_idle_mib": long.peak - long.idle,
            "at_once": many,
            "at_once_peak_mib": all_at_once.peak,
        }
    )
    report.targets = [
        Target("one recording of two hours above idle", long.peak - long.idle, ABOVE_IDLE, " MiB"),
        Target(f"{many} recordings of two hours at once, the whole worker", all_at_once.peak, IN_ALL, " MiB"),
    ]
    return report


def _pass(field: Field, settings: dict[str, str], recordings: int, seconds: float) -> Passage:
    with field.worker(settings) as worker:
        idle = settled_mib(worker.pid)
        say(f"memory: {recordings} of {seconds / 60:.0f} minutes; idle at {idle:.0f} MiB")
        forget_peak(worker.pid)
        # The first replays wait for the last, so that all pass at once.
        field.simulator.ask("faults", {"kind": "latency", "command": "replay", "seconds": _HELD_SECONDS, "times": recordings})
        began, used = time.monotonic(), cpu_seconds(worker.pid)
        started_at = datetime.now(UTC) - timedelta(seconds=seconds + 5)
        made = field.simulator.ask("calls", {"kind": "two_hours", "seconds": seconds, "count": recordings, "started_at": started_at.isoformat()})
        field.until_exported([call["inum"] for call in made["calls"]])
        at_once = field.simulator.ask("stats")["most_replays_in_flight"]
        took = time.monotonic() - began
        size = made["calls"][0]["size"] / (1 << 20)
        return Passage(recordings, seconds, size, idle, peak_mib(worker.pid), at_once, took, cpu_seconds(worker.pid) - used)
