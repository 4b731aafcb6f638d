"""Made-up events through the real pipeline: what Kafka acknowledged is in ClickHouse, once."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from tests.integration.pipeline.pipeline import Pipeline
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.events.voc import decode_voc
from voc_stream.generator import send
from voc_stream.generator.events import make_events
from voc_stream.generator.send import Plan

COUNT = 400
_STORED = "SELECT count() AS rows, uniqExact(event_id) AS events FROM voc_events WHERE event_id IN ({ids:Array(UUID)})"


async def test_events_that_were_sent_are_stored_once_even_if_they_are_sent_again(pipeline: Pipeline) -> None:
    seed, lines = secrets.randbits(48), list[str]()
    for _ in range(2):
        assert await send.run(pipeline.settings, lines.append, Plan(rate=5000.0, tenants=7, events=COUNT, seed=seed)) == 0
    assert lines[-1].startswith(f"generate: sent={COUNT} acknowledged={COUNT} seconds=")
    later = secrets.randbits(48)
    assert await send.run(pipeline.settings, lines.append, Plan(rate=5000.0, tenants=7, events=COUNT, seed=later)) == 0

    ids = [str(decode_voc(value).event_id) for one in (seed, later) for _, _, value in make_events(COUNT, one, 7, datetime.now(UTC))]
    warehouse = Warehouse(pipeline.settings)
    try:

        async def all_there() -> bool:
            return bool((await warehouse.query(_STORED, {"ids": ids}))[0]["events"] == len(ids))

        await pipeline.until(f"{len(ids)} events in ClickHouse", all_there)
        assert (await warehouse.query(_STORED, {"ids": ids}))[0]["rows"] == len(ids)
    finally:
        await warehouse.close()
