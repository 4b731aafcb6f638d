"""The people's side beside a working pipeline: `make bench-web` (docs/benchmarks.md).

Ten million events and a million calls are there. One worker stores customer events at half the rate that it can, first alone, then beside readers who
ask its people's side fifty times a second for summaries and lists of calls: how long do readers wait, and how much longer do events?
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import click
import httpx

from benchmarks import light, ours, seed_calls, seed_events, voc_events
from benchmarks.command import run
from benchmarks.field import Field
from benchmarks.filling import fill
from benchmarks.report import CONSOLE, Report, Target, line_of, percentile, say, table
from benchmarks.rivals_part import PARTS
from benchmarks.stored import Stored
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.devstack.demo_door import make_token, wait_open
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.ports import free_port
from voc_stream.devstack.worker_process import WorkerProcess

TOPIC = "voc.web"
DAYS = 90
WHOLE_CALLS = 10_000
REQUESTS_A_SECOND = 50
# Measured at once, as fast as it goes, before anything else: half of it is the load.
CAPACITY_EVENTS = 200_000
# A reader who clicks on.
_ANSWER_SECONDS = 10.0
_LISTS = (
    "",
    "&sort=score",
    "&status=SCORED&score_to=60",
    "&topic=complaint",
    "&agent_id=agent1003",
    "&skill=billing&sentiment_to=-0.5",
)
SUMMARY_P95_MS, CALLS_P95_MS, PIPELINE_RATIO = 50.0, 100.0, 0.9


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
    names = {"summary_p95_ms", "calls_p95_ms", "pipeline_ratio"}
    CONSOLE.print(f"bench-web: {line_of({name: value for name, value in report.figures.items() if name in names})}")


def _seed(field: Field, events: int, calls: int) -> None:
    began = time.monotonic()
    asyncio.run(seed_calls.seed(field.settings.postgres_dsn.get_secret_value(), calls=calls, days=DAYS, whole=min(calls, WHOLE_CALLS)))
    say(f"web: {calls:,} calls after {time.monotonic() - began:.0f} s")

    async def seed() -> None:
        warehouse = Warehouse(field.settings)
        try:
            await seed_events.seed(warehouse, events=events, days=DAYS)
        finally:
            await warehouse.close()

    asyncio.run(seed())
    say(f"web: {events:,} events after {time.monotonic() - began:.0f} s")


def _measure(field: Field, seconds: float) -> Report:
    group = f"bench-web-{uuid.uuid4().hex[:8]}"
    port = free_port()
    bootstrap = list(field.settings.kafka_bootstrap)
    ours.make_topics(field, group, (TOPIC,))
    asyncio.run(fill(bootstrap, [TOPIC], ours.PARTITIONS, voc_events.records(CAPACITY_EVENTS)))
    # Caps of their own keep a real reader from asking so often.
    people = {"WEB_ENABLED": "true", "HTTP_PORT": str(port), "HTTP_PEER_RATE": "10000", "HTTP_TENANT_RATE": "10000"}
    with ours.our_worker(field, group, (TOPIC,), people) as worker:
        stored = Stored(field.settings, group)
        rate = _capacity(stored, worker) / 2
        wait_open(port)
        readers = Readers(f"http://127.0.0.1:{port}", asyncio.run(make_token(field.settings)))
        say(f"web: the load is {rate:,.0f} events a second, half of what it can")
        with _load(bootstrap[0], rate, seconds + 15):
            alone = asyncio.run(_delays(bootstrap, stored, seconds, worker, None))
        with _load(bootstrap[0], rate, seconds + 15):
            beside = asyncio.run(_delays(bootstrap, stored, seconds, worker, readers))
    return _report(rate, alone, beside, readers)


def _capacity(stored: Stored, worker: WorkerProcess) -> float:
    alive = partial(ours.must_run, worker)
    first, began = stored.until(CAPACITY_EVENTS // 10, alive, 180)
    last, ended = stored.until(CAPACITY_EVENTS, alive)
    worker.wait_ready()
    return (last - first) / (ended - began)


@contextmanager
def _load(bootstrap: str, rate: float, seconds: float) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.web_load", bootstrap, TOPIC, str(rate), str(seconds)])
    try:
        time.sleep(5)
        yield
        if process.poll():
            raise StackError(f"the load ended with {process.returncode}")
    finally:
        process.kill()
        process.wait()


async def _delays(bootstrap: list[str], stored: Stored, seconds: float, worker: WorkerProcess, readers: Readers | None) -> list[float]:
    """Return the seconds that single events took from Kafka to ClickHouse, while the load and the readers go on."""
    reading = asyncio.create_task(readers.read(seconds)) if readers else None
    sent, seen = await light.send_and_look(bootstrap, TOPIC, stored, seconds, partial(ours.must_run, worker))
    if reading:
        await reading
    return [seen[key] - at for key, at in sent.items()]


class Readers:
    """Those who ask, each moment somebody, whether or not the one before has an answer.

    Args:
        address: of the people's side.
        token: for all tenants.
    """

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}"}
        self.summaries: list[float] = []
        self.lists: list[float] = []
        self._refusals: list[str] = []

    async def read(self, seconds: float) -> None:
        """Ask for so long.

        Raises:
            StackError: an answer was not 200.
        """
        chance = random.Random(1)  # noqa: S311 - the same questions each time
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        async with httpx.AsyncClient(base_url=self._address, headers=self._headers, timeout=_ANSWER_SECONDS, limits=limits) as client:
            began = time.monotonic()
            async with asyncio.TaskGroup() as asked:
                for number in range(int(seconds * REQUESTS_A_SECOND)):
                    tenant = "acme" if chance.random() < 0.5 else f"tenant{chance.randrange(10)}"
                    asked.create_task(self._ask(client, number, tenant))
                    await asyncio.sleep(max(0.0, began + (number + 1) / REQUESTS_A_SECOND - time.monotonic()))
        if self._refusals:
            raise StackError(f"{len(self._refusals)} answers were not 200, the first: {self._refusals[0]}")

    async def _ask(self, client: httpx.AsyncClient, number: int, tenant: str) -> None:
        if number % 2:
            path, took = f"/calls?tenant_id={tenant}{_LISTS[number // 2 % len(_LISTS)]}", self.lists
        elif number % 4:
            path, took = f"/metrics/summary?tenant_id={tenant}&days=7", self.summaries
        else:
            path, took = f"/tenants/{tenant}/summary?days=7", self.summaries
        began = time.perf_counter()
        try:
            answer = await client.get(path)
        except httpx.HTTPError as error:
            self._refusals.append(f"{path}: {error!r}")
            return
        took.append((time.perf_counter() - began) * 1000)
        if answer.status_code != httpx.codes.OK:
            self._refusals.append(f"{path}: {answer.status_code} {answer.text[:200]}")


def _report(rate: float, alone: list[float], beside: list[float], readers: Readers) -> Report:
    rows = [
        (name, len(took), *(percentile(took, share) for share in (0.5, 0.95, 0.99)))
        for name, took in (("summaries", readers.summaries), ("lists", readers.lists))
    ]
    table("web: milliseconds an answer, at 50 requests a second", ("page", "answers", "median", "p95", "p99"), rows)
    delays = [(name, len(took), percentile(took, 0.5), percentile(took, 0.95)) for name, took in (("alone", alone), ("beside readers", beside))]
    table("web: seconds from Kafka to ClickHouse", ("pipeline", "events", "median", "p95"), delays)
    summary, calls = percentile(readers.summaries, 0.95), percentile(readers.lists, 0.95)
    ratio = percentile(alone, 0.95) / percentile(beside, 0.95)
    report = Report("web", figures={"rate": rate, "summary_p95_ms": summary, "calls_p95_ms": calls, "pipeline_ratio": ratio})
    report.targets = [
        Target("summary, p95", summary, SUMMARY_P95_MS, " ms"),
        Target("list of calls, p95", calls, CALLS_P95_MS, " ms"),
        Target("pipeline's p95 delay, alone / beside readers", ratio, PIPELINE_RATIO, at_least=True),
    ]
    return report


if __name__ == "__main__":
    run(main, "bench-web")
