"""How soon a summary is there: both pages' questions over ten million events, and over ten times the days.

The events are made by the engine itself and reach the views through the materialised view, as a worker's do, the oldest first. Payloads are short: no
summary reads them. Questions begin when the engine has merged what it wants to merge.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

import click

from benchmarks.command import run
from benchmarks.field import Field
from benchmarks.processes import cpu_seconds
from benchmarks.report import Report, Target, percentile, say, table
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.services.summary import Summary

ROWS = 10_000_000
CHUNK = 500_000
TENANTS = 20
AGENTS = 300
DAYS = (7, 70)
# The trend looks at as many days before.
SPREAD_DAYS = 2 * max(DAYS)
ASKED = 200
MERGED_SECONDS = 120
P95_MS = 50.0

_FILL = """
INSERT INTO voc_events
    (event_id, tenant_id, event_type, ts, agent_id, call_id, customer_id, payload, sentiment, sentiment_source, language, topic, topic_confidence,
     topic_source, processed_at, kafka_incarnation, kafka_topic, kafka_partition, kafka_offset)
SELECT
    generateUUIDv4(), concat('tenant-', toString(rand(1) % {tenants:UInt32})) AS tenant,
    ['call', 'call', 'agent_action', 'tool_invocation', 'qos_metric'][1 + rand(2) % 5] AS kind,
    now64(3) - toIntervalMillisecond({age:UInt64} + rand64(3) % {span:UInt64}), concat(tenant, '-agent-', toString(rand(4) % {agents:UInt32})),
    hex(rand64(5)), '', repeat('x', 40), if(kind = 'call', (toInt32(rand(6) % 2001) - 1000) / 1000, NULL), if(kind = 'call', 'rule', 'none'),
    if(kind = 'call', 'en', ''),
    if(kind = 'call', ['account', 'agent', 'billing', 'cancellation', 'complaint', 'delivery', 'praise', 'technical'][1 + rand(7) % 8], NULL),
    if(kind = 'call', 0.9, NULL), 'head', now64(3), '1', 'voc.calls', rand(8) % 12, {first:Int64} + number
FROM numbers({rows:UInt64})
SETTINGS async_insert = 0, max_partitions_per_insert_block = 0
"""
_SIZES = """
SELECT table, toInt64(sum(rows)) AS rows, toInt64(count()) AS parts, sum(bytes_on_disk) / 1048576 AS mib FROM system.parts
WHERE database = currentDatabase() AND active AND table IN ('voc_events', 'voc_sums') GROUP BY table ORDER BY table
"""

Ask = Callable[[str, int, date], Awaitable[object]]


async def measure(warehouse: Warehouse, engine: int, rows: int) -> Report:
    """Fill the tables, then ask for tenants at random, one after the other.

    Args:
        warehouse: with the schema, empty.
        engine: the process id of ClickHouse: its CPU time tells what an answer costs, whatever else runs.
        rows: events.
    """
    report = Report("bench-views")
    report.add({"rows": rows, "load_before": os.getloadavg()[0], "fill_s": await _fill(warehouse, rows)})
    await merged(warehouse)
    sizes = [(row["table"], row["rows"], row["parts"], row["mib"]) for row in await warehouse.query(_SIZES)]
    table("views: what is stored", ("table", "rows", "parts", "MiB"), sizes)
    summary = Summary(warehouse.query)
    pages: dict[str, Ask] = {"metrics_summary": summary.rows, "tenant_summary": summary.report}
    lines = []
    for name, ask in pages.items():
        for days in DAYS:
            used = cpu_seconds(engine)
            took = await _asked(ask, days)
            cpu = (cpu_seconds(engine) - used) * 1000 / len(took)
            p95 = percentile(took, 0.95)
            lines.append((name, days, len(took), min(took), percentile(took, 0.5), p95, max(took), cpu))
            report.add({f"{name}_{days}d_p95_ms": p95})
            report.targets.append(Target(f"{name}, {days} days: p95", p95, P95_MS, " ms"))
    table(
        "views: milliseconds an answer, HTTP to the engine included",
        ("page", "days", "asked", "fastest", "median", "p95", "slowest", "engine's CPU"),
        lines,
    )
    began = time.monotonic()
    differences = await warehouse.view_differences()
    report.add({"compare_s": time.monotonic() - began, "differences": len(differences), "load_after": os.getloadavg()[0]})
    return report


async def _fill(warehouse: Warehouse, rows: int) -> float:
    began = time.monotonic()
    span = SPREAD_DAYS * 86_400_000 * CHUNK // rows
    async with warehouse.patient() as client:
        for first in range(0, rows, CHUNK):
            size = min(CHUNK, rows - first)
            age = max(0, (rows - first - size) * span // CHUNK)
            parameters = {"tenants": TENANTS, "agents": AGENTS, "age": age, "span": span, "first": first, "rows": size}
            await client.command(_FILL, parameters)
            if not (first + size) % (4 * CHUNK):
                say(f"views: {first + size:,} events after {time.monotonic() - began:.0f} s")
    return time.monotonic() - began


async def merged(warehouse: Warehouse) -> None:
    """Wait until the engine has merged what it wants to merge, `MERGED_SECONDS` at most."""
    deadline = time.monotonic() + MERGED_SECONDS
    quiet = 0
    while quiet < 5 and time.monotonic() < deadline:
        await asyncio.sleep(1)
        (row,) = await warehouse.query("SELECT count() AS merges FROM system.merges WHERE database = currentDatabase()")
        quiet = 0 if row["merges"] else quiet + 1


async def _asked(ask: Ask, days: int) -> list[float]:
    chance = random.Random(days)  # noqa: S311 - the same tenants each time
    today = datetime.now(UTC).date()
    took = []
    for _ in range(ASKED):
        tenant = f"tenant-{chance.randrange(TENANTS)}"
        began = time.perf_counter()
        await ask(tenant, days, today)
        took.append((time.perf_counter() - began) * 1000)
    return took


@click.command()
@click.argument("rows", default=ROWS, type=click.IntRange(min=1))
def main(rows: int) -> None:
    """Measure over ROWS events on a ClickHouse of its own; ends with 1 where a target was missed."""
    sys.exit(asyncio.run(_main(rows)))


async def _main(rows: int) -> int:
    with Field(parts=("clickhouse",)) as field:
        warehouse = Warehouse(field.settings)
        try:
            schema = ClickHouseSchema(field.settings, warehouse)
            await schema.create_database()
            await schema.apply()
            report = await measure(warehouse, field.pids["clickhouse"], rows)
        finally:
            await warehouse.close()
    report.conclude()
    return 0 if all(target.met for target in report.targets) and not report.figures["differences"] else 1


if __name__ == "__main__":
    run(main, "bench-views")
