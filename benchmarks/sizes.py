"""What a customer event and a call take of the servers: bytes on their disks, CPU time of their processes. `make bench-sizes` (docs/capacity.md).

One broker, one replica of everything; whoever has three multiplies.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import click
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import ours, sizes_calls, voc_events
from benchmarks.command import run
from benchmarks.disk import bytes_below
from benchmarks.field import Field
from benchmarks.filling import fill
from benchmarks.processes import CpuLog, peak_mib
from benchmarks.report import CONSOLE, line_of, say, table
from benchmarks.rivals_part import PARTS
from benchmarks.stored import Stored
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.worker_process import WorkerProcess

# One topic: with more partitions than the engine keeps up with, windows are small whatever their bound.
TOPICS = ("voc.calls",)
# Events that the worker has stored when the measurement begins.
WARM = 20_000
PATIENCE_SECONDS = 60.0
# What ClickHouse puts off, its merges, is part of the price: it is waited for until nothing is merged for so long, but no longer than that.
QUIET_SECONDS = 3.0
MERGED_SECONDS = 120.0
_SMALL = {"BATCH_SIZE": "500", "BATCH_SIZE_MAX": "500"}


@dataclass(frozen=True, slots=True)
class Passage:
    """What it took to store events.

    Attributes:
        windows: a window is an insert.
        per_event: CPU microseconds, by process.
    """

    per_second: float
    windows: float
    per_event: Mapping[str, float]
    peak_mib: float

    @property
    def clickhouse_us(self) -> float:
        """ClickHouse's CPU time of an event."""
        return self.per_event["clickhouse"]


@click.command()
@click.option("--events", default=150_000, show_default=True, type=click.IntRange(min=100_000))
def main(events: int) -> None:
    """Store events and calls, and look at what they took."""
    with Field(parts=PARTS) as place:
        group = f"sizes-{uuid.uuid4().hex[:8]}"
        ours.make_topics(place, group, TOPICS)
        found = _write(place, events)
        large = _store(place, group, events, {})
        tables = {name: int(size) for name, size in (line.split("\t") for line in _tables(Stored(place.settings, group)).splitlines())}
        say(f"bytes of ClickHouse's tables: {tables}")
        found["clickhouse_bytes_event"] = sum(tables.values()) / events
        found["ledger_bytes_event"] = bytes_below(place.folder, f"{group}-*changelog-*") / events
        found["state_bytes_event"] = bytes_below(place.folder, "state") / events
    # On tables of their own: what is merged depends on what was there.
    with Field(parts=PARTS) as place:
        group = f"sizes-{uuid.uuid4().hex[:8]}"
        ours.make_topics(place, group, TOPICS)
        _write(place, events)
        small = _store(place, group, events, _SMALL)
        found |= _events(large, small)
        say(f"events: {line_of(found)}")
        found |= sizes_calls.measure(place)
    CONSOLE.print(f"sizes: {line_of(found)}")


def _write(place: Field, events: int) -> dict[str, float]:
    """Fill the topics: what an event costs the broker that takes it."""
    with CpuLog({"kafka": place.pids["kafka"]}) as log:
        began = time.time()
        asyncio.run(fill(list(place.settings.kafka_bootstrap), TOPICS, ours.PARTITIONS, voc_events.records(events)))
        used = log.between(began, time.time())["kafka"]
    size = sum(len(value) for _, value in voc_events.records(10_000)) / 10_000
    kept = sum(bytes_below(place.folder, f"{topic}-*") for topic in TOPICS) / events
    say(f"{events} events written")
    return {"event_bytes": size, "kafka_bytes_event": kept, "kafka_write_us": used / events * 1e6}


def _store(place: Field, group: str, events: int, settings: Mapping[str, str]) -> Passage:
    """Let one worker store them in ClickHouse."""
    stored = Stored(place.settings, group)
    _until_merged(stored)
    with place.worker(ours.environment(group, TOPICS, settings), name=group, ready=False) as worker:
        pids = {"worker": worker.pid, "kafka": place.pids["kafka"], "clickhouse": place.pids["clickhouse"]}
        with CpuLog(pids) as log:
            first, began = _until(stored, WARM, worker)
            before = _windows(worker)
            last, ended = _until(stored, events, worker)
            windows = _windows(worker) - before
            _until_merged(stored)
            used = log.between(began, ended) | {"clickhouse": log.between(began, time.time())["clickhouse"]}
        peak = peak_mib(worker.pid)
    say(f"{(last - first) / (ended - began):.0f} events/s, {(last - first) / windows:.0f} a window")
    return Passage((last - first) / (ended - began), windows / (last - first), {name: used[name] / (last - first) * 1e6 for name in pids}, peak)


def _events(large: Passage, small: Passage) -> dict[str, float]:
    """Return what an event costs; of ClickHouse what an insert costs besides its rows, by two sizes of windows."""
    rows = [(round(1 / each.windows), round(each.per_second), *(round(cost, 1) for cost in each.per_event.values())) for each in (large, small)]
    table("sizes: CPU µs an event", ("events a window", "events/s", *large.per_event), rows)
    insert_us = (small.clickhouse_us - large.clickhouse_us) / (small.windows - large.windows)
    return {
        "events_per_second": large.per_second,
        "worker_us": large.per_event["worker"],
        "worker_small_us": small.per_event["worker"],
        "kafka_read_us": large.per_event["kafka"],
        "clickhouse_insert_ms": insert_us / 1000,
        "clickhouse_row_us": large.clickhouse_us - insert_us * large.windows,
        "worker_peak_mib": large.peak_mib,
    }


def _until(stored: Stored, rows: int, worker: WorkerProcess) -> tuple[int, float]:
    last, changed = -1, time.monotonic()
    while (count := stored.count()) < rows:
        ours.must_run(worker)
        if count != last:
            last, changed = count, time.monotonic()
        if time.monotonic() - changed > PATIENCE_SECONDS:
            raise StackError(f"no new row for {PATIENCE_SECONDS:.0f} s, {count} of {rows} so far")
        time.sleep(0.25)
    return count, time.time()


def _until_merged(stored: Stored) -> None:
    quiet, given_up = time.monotonic(), time.monotonic() + MERGED_SECONDS
    while time.monotonic() - quiet < QUIET_SECONDS and time.monotonic() < given_up:
        time.sleep(0.5)
        if stored.ask("SELECT count() FROM system.merges WHERE database = currentDatabase()").strip() != "0":
            quiet = time.monotonic()


def _windows(worker: WorkerProcess) -> float:
    """Return how many windows it has formed."""
    families = text_string_to_metric_families(worker.metrics())
    return sum(sample.value for family in families for sample in family.samples if sample.name == "voc_batch_records_count")


def _tables(stored: Stored) -> str:
    return stored.ask("SELECT table, sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table")


if __name__ == "__main__":
    run(main, "sizes")
