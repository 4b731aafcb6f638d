"""The people's side beside a working pipeline: `make bench-web` (docs/benchmarks.md).

Ten million events and a million calls are there. One worker stores customer events at half the rate that it can, first alone, then beside readers who
ask its people's side fifty times a second for summaries and lists of calls: how long do readers wait, and how much longer do events? Then
beside a flood of requests that mean no good. In the end pages are opened in a real browser.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from benchmarks import light, ours, seed_calls, seed_events, voc_events, web_pages
from benchmarks.command import run
from benchmarks.field import Field
from benchmarks.filling import fill
from benchmarks.report import CONSOLE, Report, Target, line_of, percentile, say, table
from benchmarks.rivals_part import PARTS
from benchmarks.stored import Stored
from benchmarks.views import merged
from benchmarks.web_cores import Cores
from benchmarks.web_readers import Readers
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.devstack.demo_door import make_token, wait_open
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.ports import free_port
from voc_stream.devstack.worker_process import WorkerProcess

TOPIC = "voc.web"
DAYS = 90
WHOLE_CALLS = 10_000
# Measured at once, as fast as it goes, before anything else: half of it is the load.
CAPACITY_EVENTS = 200_000
# Without a backlog windows are no larger than this. At thousands of events a second those of 500, the default, would be ten inserts a second.
WINDOW = 2000
# Each event that is sent has a number of its own: one that is known is not stored again.
ALONE, BESIDE, FLOODED, LOOKED_FOR = 10_000_000, 20_000_000, 30_000_000, 1_000_000
# A look costs ClickHouse as much as a reader's question.
LOOK_SECONDS = 0.1
# The load runs before and after what is measured.
SETTLE_SECONDS, BEYOND_SECONDS = 5.0, 10.0
# A page is opened once for each; half of all calls are of the first.
TENANTS = (seed_calls.BIG_TENANT, *(f"tenant{number}" for number in range(10)))
SUMMARY_P95_MS, CALLS_P95_MS, PIPELINE_RATIO, PAGE_OPEN_MS = 50.0, 100.0, 0.9, 1000.0
LAST_LINE = ("summary_p95_ms", "calls_p95_ms", "pipeline_ratio")


@click.command()
@click.option("--events", default=10_000_000, show_default=True, type=click.IntRange(min=10_000), help="In ClickHouse before.")
@click.option("--calls", default=1_000_000, show_default=True, type=click.IntRange(min=1000), help="In PostgreSQL before.")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(min=5), help="Of each of the two measurements.")
def main(events: int, calls: int, seconds: float) -> None:
    """Measure readers and the pipeline beside each other; starts what it needs and leaves nothing."""
    with Field(parts=PARTS) as field:
        _seed(field, events, calls)
        report = _measure(field, seconds)
    report.conclude()
    CONSOLE.print(f"bench-web: {line_of({name: value for name, value in report.figures.items() if name in LAST_LINE})}")


def _seed(field: Field, events: int, calls: int) -> None:
    began = time.monotonic()

    async def seed_both() -> None:
        warehouse = Warehouse(field.settings)
        dsn = field.settings.postgres_dsn.get_secret_value()
        try:
            await asyncio.gather(
                seed_calls.seed(dsn, calls=calls, days=DAYS, whole=min(calls, WHOLE_CALLS)), seed_events.seed(warehouse, events=events, days=DAYS)
            )
            await merged(warehouse)
        finally:
            await warehouse.close()

    asyncio.run(seed_both())
    say(f"web: {calls:,} calls and {events:,} events after {time.monotonic() - began:.0f} s")


def _measure(field: Field, seconds: float) -> Report:
    group = f"bench-web-{uuid.uuid4().hex[:8]}"
    port = free_port()
    bootstrap = list(field.settings.kafka_bootstrap)
    ours.make_topics(field, group, (TOPIC,))
    asyncio.run(fill(bootstrap, [TOPIC], ours.PARTITIONS, voc_events.records(CAPACITY_EVENTS)))
    with ours.our_worker(field, group, (TOPIC,), {"WEB_ENABLED": "true", "HTTP_PORT": str(port), "BATCH_SIZE": str(WINDOW)}) as worker:
        stored = Stored(field.settings, group)
        rate = _capacity(stored, worker) / 2
        wait_open(port)
        token = asyncio.run(make_token(field.settings))
        address = f"http://127.0.0.1:{port}"
        readers = Readers(address, token)
        load = Load(bootstrap, stored, worker, rate, seconds)
        cores = Cores(worker.pid, field.pids)
        say(f"web: the load is {rate:,.0f} events a second, half of what it can")
        delays = {}
        for name, first, beside in (
            ("alone", ALONE, None),
            ("beside readers", BESIDE, readers.read(seconds)),
            ("under a flood", FLOODED, _flood(port, seconds)),
        ):
            with cores.during(name):
                delays[name] = asyncio.run(load.delays(first, beside))
        report = _report(rate, readers, delays)
        table("web: cores kept busy, of the machine's two", ("part", *cores.busy), cores.rows())
        if web_pages.CHROMIUM is None:
            say("web: without `chromium` no page is opened")
        else:
            _add_pages(report, asyncio.run(web_pages.open_all(address, token, TENANTS)))
    return report


def _capacity(stored: Stored, worker: WorkerProcess) -> float:
    alive = partial(ours.must_run, worker)
    first, began = stored.until(CAPACITY_EVENTS // 10, alive, 180)
    last, ended = stored.until(CAPACITY_EVENTS, alive)
    worker.wait_ready()
    return (last - first) / (ended - began)


@dataclass(frozen=True, slots=True)
class Load:
    """A steady load, and single events among it that are followed.

    Attributes:
        rate: events a second.
        seconds: for which events are followed.
    """

    bootstrap: list[str]
    stored: Stored
    worker: WorkerProcess
    rate: float
    seconds: float

    async def delays(self, first: int, beside: Coroutine[Any, Any, None] | None = None) -> list[float]:
        """Return the seconds that single events took from Kafka to ClickHouse.

        Args:
            first: number of the load's first event; those that are followed have smaller ones.
            beside: goes on meanwhile.
        """
        with self._sent(first):
            await asyncio.sleep(SETTLE_SECONDS)
            going = None if beside is None else asyncio.create_task(beside)
            alive = partial(ours.must_run, self.worker)
            sent, seen = await light.send_and_look(
                self.bootstrap, TOPIC, self.stored, self.seconds, alive, first=first - LOOKED_FOR, every=LOOK_SECONDS
            )
            if going is not None:
                await going
        return [seen[key] - at for key, at in sent.items()]

    @contextmanager
    def _sent(self, first: int) -> Iterator[None]:
        seconds = self.seconds + SETTLE_SECONDS + BEYOND_SECONDS
        process = subprocess.Popen([sys.executable, "-m", "benchmarks.web_load", self.bootstrap[0], TOPIC, str(self.rate), str(seconds), str(first)])
        try:
            yield
            if process.poll():
                raise StackError(f"the load ended with {process.returncode}")
        finally:
            process.kill()
            process.wait()


async def _flood(port: int, seconds: float) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.web_flood", str(port), str(seconds), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise StackError(f"the flood ended with {process.returncode}")
    answered = json.loads(said)
    say(f"web: the flood was answered {sum(answered.values()) / seconds:,.0f} times a second: {answered}")


def _report(rate: float, readers: Readers, delays: dict[str, list[float]]) -> Report:
    rows = [
        (name, len(took), *(percentile(took, share) for share in (0.5, 0.95, 0.99)))
        for name, took in (("summaries", readers.summaries), ("lists", readers.lists))
    ]
    table("web: milliseconds an answer, at 50 requests a second", ("page", "answers", "median", "p95", "p99"), rows)
    table(
        "web: seconds from Kafka to ClickHouse",
        ("pipeline", "events", "median", "p95", "longest"),
        [(name, len(took), percentile(took, 0.5), percentile(took, 0.95), max(took)) for name, took in delays.items()],
    )
    summary, calls = percentile(readers.summaries, 0.95), percentile(readers.lists, 0.95)
    alone, beside, flooded = (percentile(took, 0.95) for took in delays.values())
    figures = {"rate": rate, "summary_p95_ms": summary, "calls_p95_ms": calls, "pipeline_ratio": alone / beside, "flood_ratio": alone / flooded}
    report = Report("web", figures=figures)
    report.targets = [
        Target("summary, p95", summary, SUMMARY_P95_MS, " ms"),
        Target("list of calls, p95", calls, CALLS_P95_MS, " ms"),
        Target("pipeline's p95 delay, alone / beside readers", alone / beside, PIPELINE_RATIO, at_least=True),
        Target("pipeline's p95 delay, alone / under a flood", alone / flooded, PIPELINE_RATIO, at_least=True),
    ]
    return report


def _add_pages(report: Report, took: dict[str, list[float]]) -> None:
    rows = [(name, len(each), percentile(each, 0.5), max(each)) for name, each in took.items()]
    table("web: milliseconds until a page is open, in a browser that was not there before", ("page", "opened", "median", "longest"), rows)
    slowest = max(took[web_pages.OVERVIEW])
    report.add({"page_open_ms": slowest})
    report.targets.append(Target("the overview is open", slowest, PAGE_OPEN_MS, " ms"))


if __name__ == "__main__":
    run(main, "bench-web")
