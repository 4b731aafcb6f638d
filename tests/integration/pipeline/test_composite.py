"""The quality of a recorded call and what its customer said meet, in either order, also when the worker is killed in between."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest_asyncio

from tests.calls import scoring_result
from tests.integration.pipeline.pipeline import Pipeline
from tests.voc import call_value
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.events.base import encode
from voc_stream.topics import SCORING_RESULTS, VOC_CALLS

HAPPY = "Thank you so much, this was a great and very helpful call. I am happy."

_BOTH = "SELECT quality, sentiment, composite, model_version, revision FROM call_composite WHERE tenant_id = $1 AND call_id = $2"
_HEARD = "SELECT sentiment FROM voc_events WHERE tenant_id = {tenant:String} AND call_id = {call:String} AND sentiment IS NOT NULL"
_SHOWN = "SELECT call_id, composite, revision FROM call_composite FINAL WHERE tenant_id = {tenant:String} AND call_id IN {calls:Array(String)}"


@pytest_asyncio.fixture(loop_scope="session")
async def warehouse(pipeline: Pipeline) -> AsyncIterator[Warehouse]:
    made = Warehouse(pipeline.settings)
    yield made
    await made.close()


async def say(pipeline: Pipeline, call_id: str, tenant: str = "acme") -> None:
    """Have somebody tell what the customer of a call said."""
    value = call_value(secrets.randbits(60), tenant_id=tenant, call_id=call_id, transcript=HAPPY, timestamp=datetime.now(UTC))
    await pipeline.write(VOC_CALLS, (call_id.encode(), value))


async def until_heard(pipeline: Pipeline, warehouse: Warehouse, call_id: str, tenant: str) -> None:
    async def heard() -> bool:
        return bool(await warehouse.query(_HEARD, {"tenant": tenant, "call": call_id}))

    await pipeline.until(f"what was said in {call_id}", heard)


async def until_met(pipeline: Pipeline, warehouse: Warehouse, call_id: str, model: str | None = None) -> dict[str, Any]:
    """Wait until both databases have the same composite (of a model); return PostgreSQL's row."""
    both: dict[str, Any] = {}

    async def met() -> bool:
        both.update(await pipeline.row(_BOTH, "acme", call_id))
        shown = await warehouse.query(_SHOWN, {"tenant": "acme", "calls": [call_id]})
        agreed = [(float(both["composite"]), both["revision"])] if both and both["composite"] is not None else None
        return model in {None, both.get("model_version")} and agreed == [(row["composite"], row["revision"]) for row in shown]

    await pipeline.until(f"the composite of {call_id}", met)
    return both


async def test_quality_and_sentiment_meet_in_either_order_and_across_a_kill(pipeline: Pipeline, warehouse: Warehouse) -> None:
    (scored_first,) = await pipeline.spoken(1, service="acme-support")
    await pipeline.until_settled([scored_first])
    (heard_first,) = await pipeline.record("stereo", dialogue="praise_short", service="acme-support", hang_up="never")
    early = heard_first["inum"]
    for tenant in ("acme", "globex"):
        await say(pipeline, early, tenant)
    for tenant in ("acme", "globex"):
        await until_heard(pipeline, warehouse, early, tenant)
    assert await pipeline.row(_BOTH, "acme", early) == {}

    pipeline.worker.kill()
    await say(pipeline, scored_first)
    await pipeline.hang_up(early)
    pipeline.worker.start()
    await pipeline.until_settled([early])

    for call_id in (early, scored_first):
        both = await until_met(pipeline, warehouse, call_id)
        assert both["sentiment"] > 0.3
        expected = 0.7 * float(both["quality"]) + 0.3 * 50 * (1 + both["sentiment"])
        assert abs(float(both["composite"]) - expected) <= 0.01
    assert await pipeline.row(_BOTH, "globex", early) == {}
    assert await warehouse.query(_SHOWN, {"tenant": "globex", "calls": [early]}) == []


async def test_a_re_score_counts_and_an_older_score_that_comes_late_does_not(pipeline: Pipeline, warehouse: Warehouse) -> None:
    call_id = f"c{secrets.token_hex(6)}"
    await say(pipeline, call_id)
    now = datetime.now(UTC)
    for model, score, age in (("rubric-2+none", 40.0, 1), ("rubric-1+none", 90.0, 2), ("rubric-3+none", 60.0, 0)):
        result = scoring_result(score=score, model_version=model, scored_at=now - timedelta(hours=age))
        await pipeline.write(SCORING_RESULTS, (call_id.encode(), encode(msgspec.structs.replace(result, call_id=call_id))))

    both = await until_met(pipeline, warehouse, call_id, "rubric-3+none")
    assert float(both["quality"]) == 60.0
