"""The worker with everything on, into ClickHouse's engine and into the sink that forgets: what storing costs it."""

from __future__ import annotations

import uuid
from functools import partial
from statistics import median

from benchmarks import ours
from benchmarks.black_hole import Stretch, black_hole
from benchmarks.contest import BEFORE, FULL, Course, fill_course
from benchmarks.field import Field
from benchmarks.processes import cpu_seconds
from benchmarks.report import Report, Target, say, table
from benchmarks.rivals_part import PARTS
from benchmarks.sink import Mark
from benchmarks.stored import Stored

SHARE = 0.8


def measure(events: int, rounds: int) -> Report:
    """Store the same events in either, in turns."""
    forgotten: list[tuple[float, float]] = []
    stored: list[tuple[float, float]] = []
    with Field(parts=PARTS) as field, black_hole(int(field.settings.clickhouse_port)) as hole:
        course = fill_course(field, hole, events)
        for _ in range(rounds):
            run = course.run(FULL)
            forgotten.append((run.per_second, run.cpu_us))
            stretch = _into_the_engine(course)
            stored.append((stretch.per_second, stretch.cpu_us))
            say(f"into the engine: {stretch.per_second:.0f}/s, {stretch.cpu_us:.1f} µs CPU an event")
    found = {
        name: (median(rate for rate, _ in runs), median(cpu for _, cpu in runs)) for name, runs in (("forgets", forgotten), ("ClickHouse", stored))
    }
    rows = [(name, round(rate), round(cpu, 1)) for name, (rate, cpu) in found.items()]
    table(f"engine: {events} events, everything on, one worker; {rounds} rounds, medians", ("sink", "events/s", "worker CPU µs"), rows)
    (hole_rate, hole_cpu), (engine_rate, engine_cpu) = found.values()
    report = Report("engine")
    report.add(
        {"share": engine_rate / hole_rate, "per_second": engine_rate, "cpu_us": engine_cpu, "hole_per_second": hole_rate, "hole_cpu_us": hole_cpu}
    )
    report.targets = [Target("events/s into ClickHouse's engine, of those into the sink that forgets", engine_rate / hole_rate, SHARE, at_least=True)]
    return report


def _into_the_engine(course: Course) -> Stretch:
    """Store the topic in `voc_events`; measured as the contest does, but by what ClickHouse shows."""
    group = f"bench-engine-{uuid.uuid4().hex[:8]}"
    stored = Stored(course.field.settings, group)
    with ours.our_worker(course.field, group, (course.topic,), {}) as worker:
        marks = []
        for rows in (BEFORE, BEFORE + course.events):
            count, at = stored.until(rows, partial(ours.must_run, worker))
            marks.append(Mark(count, at, cpu_seconds(worker.pid)))
    return Stretch(*marks)
