"""What a customer event and a call take of the servers: bytes on their disks, CPU time of their processes. `make bench-sizes` (docs/capacity.md).

One broker, one replica of everything; whoever has three multiplies.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path

import click

from benchmarks import ours, seed_calls, voc_events
from benchmarks.command import run
from benchmarks.field import Field
from benchmarks.filling import fill
from benchmarks.groups import Group
from benchmarks.processes import CpuLog, peak_mib
from benchmarks.report import CONSOLE, line_of, say
from benchmarks.rivals_part import PARTS
from benchmarks.stored import Stored
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.worker_process import WorkerProcess

TOPICS = ("voc.calls", "voc.actions", "voc.metrics")
CALLS = 20_000
# Events that the worker has stored when the measurement begins.
WARM = 50_000
PATIENCE_SECONDS = 60.0


@click.command()
@click.option("--events", default=500_000, show_default=True, type=click.IntRange(min=100_000))
def main(events: int) -> None:
    """Store events and calls, and look at what they took."""
    group = f"sizes-{uuid.uuid4().hex[:8]}"
    with Field(parts=PARTS) as place:
        ours.make_topics(place, group, TOPICS)
        found = _write(place, events)
        found |= _store(place, group, events)
        found |= _calls(place)
    CONSOLE.print(f"sizes: {line_of(found)}")


def _write(place: Field, events: int) -> dict[str, float]:
    """Fill the topics: what an event costs the broker that takes it."""
    with CpuLog({"kafka": place.pids["kafka"]}) as log:
        began = time.time()
        asyncio.run(fill(list(place.settings.kafka_bootstrap), TOPICS, ours.PARTITIONS, voc_events.records(events)))
        used = log.between(began, time.time())["kafka"]
    value = sum(len(value) for _, value in voc_events.records(10_000)) / 10_000
    kept = sum(_bytes(place.folder, f"{topic}-*") for topic in TOPICS) / events
    say(f"{events} events written")
    return {"event_bytes": value, "kafka_bytes_event": kept, "kafka_write_us": used / events * 1e6}


def _store(place: Field, group: str, events: int) -> dict[str, float]:
    """Let one worker store them in ClickHouse: what an event costs everybody."""
    stored = Stored(place.settings, group)
    with place.worker(ours.environment(group, TOPICS, {}), name=group, ready=False) as worker:
        pids = {"worker": worker.pid, "kafka": place.pids["kafka"], "clickhouse": place.pids["clickhouse"]}
        with CpuLog(pids) as log:
            first, began = _until(stored, WARM, worker)
            last, ended = _until(stored, events, worker)
            # What ClickHouse puts off, its merges, is part of the price.
            time.sleep(5.0)
            used = log.between(began, time.time()) | {name: log.between(began, ended)[name] for name in ("worker", "kafka")}
        peak = peak_mib(worker.pid)
        _until_committed(place, group, worker)
    tables = {name: int(size) for name, size in (line.split("\t") for line in _tables(stored).splitlines())}
    per = {name: seconds / (last - first) * 1e6 for name, seconds in used.items()}
    say(f"bytes of ClickHouse's tables: {tables}")
    return {
        "events_per_second": (last - first) / (ended - began),
        "worker_us": per["worker"],
        "kafka_read_us": per["kafka"],
        "clickhouse_us": per["clickhouse"],
        "clickhouse_bytes_event": sum(tables.values()) / events,
        "ledger_bytes_event": _bytes(place.folder, f"{group}-*changelog-*") / events,
        "state_bytes_event": _bytes(place.folder, "state") / events,
        "worker_peak_mib": peak,
    }


def _calls(place: Field) -> dict[str, float]:
    """Make calls with everything that PostgreSQL keeps of them."""
    before = _database_bytes(place)
    asyncio.run(seed_calls.seed(place.settings.postgres_dsn.get_secret_value(), calls=CALLS, days=30, whole=CALLS))
    return {"postgres_bytes_call": (_database_bytes(place) - before) / CALLS}


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


def _until_committed(place: Field, group: str, worker: WorkerProcess) -> None:
    members = Group(place.settings.kafka_bootstrap, group, TOPICS, ours.PARTITIONS)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while asyncio.run(members.lag()):
        ours.must_run(worker)
        if time.monotonic() > deadline:
            raise StackError(f"not everything is committed after {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.5)


def _tables(stored: Stored) -> str:
    return stored.ask("SELECT table, sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table")


def _database_bytes(place: Field) -> int:
    (row,) = place.query("SELECT pg_database_size(current_database()) AS bytes")
    return int(row["bytes"])


def _bytes(folder: Path, folders: str) -> int:
    """Return what is on the disk of files in folders of this name, wherever they lie; Kafka makes its indexes larger than they are."""
    return sum(file.stat().st_blocks * 512 for place in folder.rglob(folders) if place.is_dir() for file in place.rglob("*") if file.is_file())


if __name__ == "__main__":
    run(main, "sizes")
