"""How long a worker takes to read a table back from its changelog: `python -m benchmarks.recovery` (docs/health.md)."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import click
from aiokafka import AIOKafkaProducer

from benchmarks.command import run
from benchmarks.field import AT_ONCE, Field
from benchmarks.report import CONSOLE, Report, Target, say
from voc_stream import topics
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.worker_process import WorkerProcess
from voc_stream.settings import Settings

PARTITIONS = 12
_BATCH = 5000
_LOOK_SECONDS = 0.2
_PATIENCE_SECONDS = 600.0


@click.command()
@click.option("--entries", default=1_000_000, show_default=True, type=click.IntRange(min=1))
@click.option("--target", default=60.0, show_default=True, type=click.FloatRange(min=1), help="Seconds.")
def main(entries: int, target: float) -> None:
    """Write so many rows to the changelog of a table, start a worker without state, and wait until it has them."""
    with Field() as place:
        asyncio.run(_fill(place.settings, entries))
        say(f"{entries:,} rows are in the changelog")
        began = time.monotonic()
        with place.worker({**AT_ONCE, "LOG_FORMAT": "json"}, ready=False) as worker:
            said = _watch(worker)
            start_seconds = time.monotonic() - began
        told = _event(worker, "tables recovered")
    report = Report("bench-recovery")
    report.add({"entries": told["changes"], "seconds": told["seconds"], "since_start_seconds": start_seconds, "progress_seen": len(said)})
    report.targets.append(Target(f"{entries:,} entries of a table, read back", told["seconds"], target, " s"))
    for line in (said[0], said[len(said) // 2], said[-1]) if said else ():
        CONSOLE.print(f"  /readyz: {line}")
    report.conclude()
    sys.exit(0 if all(each.met for each in report.targets) else 1)


async def _fill(settings: Settings, entries: int) -> None:
    topic = f"{settings.kafka_group_id}-{topics.CALLS_SEEN}-changelog"
    seen = int(time.time())
    producer = AIOKafkaProducer(bootstrap_servers=list(settings.kafka_bootstrap), linger_ms=20, max_batch_size=256 << 10, compression_type="lz4")
    await producer.start()
    try:
        for first in range(0, entries, _BATCH):
            sent = [
                await producer.send(topic, b"%d %d" % (number, seen), b"%015d" % number, partition=number % PARTITIONS)
                for number in range(first, min(entries, first + _BATCH))
            ]
            await asyncio.gather(*sent)
    finally:
        await producer.stop()


def _watch(worker: WorkerProcess) -> list[str]:
    """Wait until the tables are there; returns what `/readyz` said meanwhile."""
    said: dict[str, None] = {}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _event(worker, "tables recovered"):
        if worker.poll() is not None or time.monotonic() > deadline:
            raise StackError(f"no recovery:\n{worker.last_lines()}")
        said.update({reason: None for reason in _reasons(worker) if reason.startswith("recovering its tables: ")})
        time.sleep(_LOOK_SECONDS)
    return list(said)


def _reasons(worker: WorkerProcess) -> list[str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/readyz", timeout=5):
            return []
    except urllib.error.HTTPError as error:
        with error:
            return list(json.load(error)["reasons"])
    except OSError:
        return []


def _event(worker: WorkerProcess, event: str) -> Mapping[str, Any]:
    """Return the worker's last log line of that name, empty without one."""
    found: Mapping[str, Any] = {}
    for line in worker.log.read_text(errors="replace").splitlines():
        if event in line and line.startswith("{"):
            found = json.loads(line)
    return found


if __name__ == "__main__":
    run(main, "bench-recovery")
