"""Customer events in ClickHouse as months would have left them, for `make bench-web` and for whoever measures searches and summaries.

    python -m benchmarks.seed_events --events 10000000 --days 90

writes into CLICKHOUSE_DB, which must be migrated and should be a database of its own: rows are added, with all views. Half of the events are of
`acme`, four in ten are calls with a transcript. The rows are made in the server.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from benchmarks.voc_events import _CLOSING, _DAYS, _MIDDLE, _OPENING, _THINGS
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.settings import load_settings

BATCH = 500_000
TOPICS = ("account", "agent", "billing", "billing", "cancellation", "complaint", "delivery", "praise", "technical", "other")

_EVENTS = """
INSERT INTO voc_events (event_id, tenant_id, event_type, ts, agent_id, call_id, customer_id, payload, sentiment, sentiment_source, language, topic,
                        topic_confidence, topic_source, processed_at, kafka_incarnation, kafka_topic, kafka_partition, kafka_offset)
SELECT
    generateUUIDv4(),
    if(d1 < 50, 'acme', concat('tenant', toString(d1 % 10))),
    if(d2 < 40, 'call', ['agent_action', 'tool_invocation', 'qos_metric'][1 + d2 % 3]) AS kind,
    now64(3) - toIntervalMillisecond(toUInt64(({all:Float64} - n) / {all:Float64} * {days:UInt32} * 86400000)) AS said,
    concat('agent', toString(1000 + d3 % 300)),
    if(kind = 'call', concat('b', leftPad(toString(n), 12, '0')), ''),
    '',
    if(kind = 'call',
        concat('{"event_type":"call","tenant_id":"', 'acme', '","channel":"voice","direction":"inbound","transcript":"',
               replaceAll(replaceAll(replaceAll(replaceAll(concat({opening:Array(String)}[1 + d3 % length({opening:Array(String)})], ' ',
                   {middle:Array(String)}[1 + d4 % length({middle:Array(String)})], ' ',
                   {middle:Array(String)}[1 + d5 % length({middle:Array(String)})],
                   ' ', {closing:Array(String)}[1 + d6 % length({closing:Array(String)})]), '{number}', toString(n)), '{amount}', toString(d4 % 900)),
                   '{thing}', {things:Array(String)}[1 + d5 % length({things:Array(String)})]),
                   '{day}', {dates:Array(String)}[1 + d6 % length({dates:Array(String)})]), '"}'),
        concat('{"event_type":"', kind, '","action":"hold","target":"line ', toString(n), '","outcome":"done"}')),
    if(kind = 'call', toFloat32((toInt32(d7 % 2001) - 1000) / 1000), NULL),
    if(kind = 'call', 'lexicon', 'none'),
    if(kind = 'call', 'en', ''),
    if(kind = 'call', {topics:Array(String)}[1 + d6 % length({topics:Array(String)})], NULL),
    if(kind = 'call', toFloat32(0.8), NULL),
    if(kind = 'call', 'head', 'none'),
    said,
    'seed',
    'voc.calls',
    0,
    n
FROM (
    SELECT number AS n, cityHash64(n) AS h, h % 100 AS d1, intDiv(h, 100) % 100 AS d2, intDiv(h, 10000) % 100003 AS d3, cityHash64(n, 1) AS d4,
           cityHash64(n, 2) AS d5, cityHash64(n, 3) AS d6, cityHash64(n, 4) AS d7
    FROM numbers({begin:UInt64}, {count:UInt64})
)
SETTINGS max_partitions_per_insert_block = 0, max_threads = 2
"""


async def seed(warehouse: Warehouse, *, events: int, days: int) -> None:
    """Add events of the last days, evenly.

    Args:
        warehouse: of a migrated database.
        events: how many.
        days: over which they are spread, up to now.
    """
    texts = {"opening": _OPENING, "middle": _MIDDLE, "closing": _CLOSING, "things": _THINGS, "dates": _DAYS, "topics": TOPICS}
    values = {name: list(given) for name, given in texts.items()} | {"all": float(events), "days": days}
    async with warehouse.patient() as client:
        for begin in range(0, events, BATCH):
            await client.command(_EVENTS, values | {"begin": begin, "count": min(BATCH, events - begin)})


async def _seed(events: int, days: int) -> None:
    warehouse = Warehouse(load_settings())
    try:
        await seed(warehouse, events=events, days=days)
    finally:
        await warehouse.close()


def main() -> None:
    """Seed what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=90)
    given = parser.parse_args()
    began = time.perf_counter()
    asyncio.run(_seed(given.events, given.days))
    print(f"{given.events} events over {given.days} days in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
