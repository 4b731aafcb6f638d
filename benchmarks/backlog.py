"""A worker that comes back to millions of events: its memory, and whether the last ones cost what the first ones did."""

from __future__ import annotations

import asyncio
import time
import uuid
from functools import partial
from itertools import pairwise

from benchmarks import ours, voc_events
from benchmarks.black_hole import Stretch, black_hole
from benchmarks.contest import PATIENCE_SECONDS
from benchmarks.field import Field
from benchmarks.filling import fill
from benchmarks.processes import peak_mib
from benchmarks.report import Report, Target, say, table
from benchmarks.rivals_part import PARTS
from benchmarks.sink import Mark

# As in production: what is fetched ahead is fetched of each partition.
TOPICS = ("voc.calls", "voc.actions", "voc.metrics")
MOST_MIB = 400.0
# The dedup horizon (DEDUP_MAX_IDS) is the default: two million ids.
_MARKS = (20_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 4_000_000)
# What the time of an event may grow by; two runs of the same differ by as much.
FLAT = 1.15


def measure(events: int) -> Report:
    """Fill the topics with a backlog, then let one worker with everything on take it."""
    group = f"bench-backlog-{uuid.uuid4().hex[:8]}"
    with Field(parts=PARTS) as field, black_hole(int(field.settings.clickhouse_port)) as hole:
        ours.make_topics(field, group, TOPICS)
        began = time.monotonic()
        say(f"backlog: filling {len(TOPICS)} topics with {events} events")
        asyncio.run(fill(list(field.settings.kafka_bootstrap), TOPICS, ours.PARTITIONS, voc_events.records(events)))
        say(f"backlog: filled in {time.monotonic() - began:.0f} s")
        with ours.our_worker(field, group, TOPICS, {"CLICKHOUSE_PORT": str(hole.port)}) as worker:
            # The last fetches may be shorter, so that the end is told by rows, not by time.
            marks = (*(mark for mark in _MARKS if mark < events), events)
            hole.watch(worker.pid, marks)
            found = hole.until(len(marks), partial(ours.must_run, worker), PATIENCE_SECONDS)
            peak = peak_mib(worker.pid)
    stretches = [Stretch(first, last) for first, last in pairwise(found)]
    _show(stretches)
    return _report(stretches, found, events, peak)


def _show(stretches: list[Stretch]) -> None:
    table(
        "backlog: one worker with everything on",
        ("from", "to", "events/s", "clock µs", "CPU µs"),
        [
            (each.first.rows, each.last.rows, round(each.per_second), round(1e6 / each.per_second, 1), round(each.cpu_us, 1))
            for each in stretches
            if each.rows
        ],
    )


def _report(stretches: list[Stretch], found: list[Mark], events: int, peak: float) -> Report:
    early = next(each for each in stretches if each.last.rows >= 100_000 and each.rows)
    whole = Stretch(found[0], found[-1])
    late = next(each for each in reversed(stretches) if each.rows)
    report = Report("backlog", figures={"events": events, "per_second": whole.per_second, "cpu_us": whole.cpu_us, "rss_mb": peak})
    report.add({"early_cpu_us": early.cpu_us, "late_cpu_us": late.cpu_us, "growth": late.cpu_us / early.cpu_us})
    report.targets = [
        Target("resident memory, high-water mark", peak, MOST_MIB, " MiB"),
        Target("CPU time of an event at the end, of that at 100,000", late.cpu_us / early.cpu_us, FLAT),
    ]
    return report
