"""Summaries over real sums."""

from __future__ import annotations

from datetime import timedelta

from tests.voc import TIMESTAMP, action_value, call_value, store
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.services.summary import Summary
from voc_stream.stages.annotation import NOTHING, Annotation

SAD = Annotation(-0.5, "rule", "en", "complaint", 0.75, "head")
GLAD = Annotation(0.25, "rule", "en", "billing", 0.75, "head")
TODAY = TIMESTAMP.date()


async def fill(warehouse: Warehouse) -> Summary:
    """Two calls and an action today, a call six days ago, and one the day before that; another tenant beside."""
    six, seven = TIMESTAMP - timedelta(days=6), TIMESTAMP - timedelta(days=7)
    await store(warehouse, [(call_value(1), SAD), (call_value(2, agent_id="agent2"), GLAD), (action_value(3), NOTHING)])
    await store(warehouse, [(call_value(4, timestamp=six), SAD), (call_value(5, timestamp=seven), GLAD)], first=3)
    await store(warehouse, [(call_value(6, tenant_id="globex"), SAD)], first=5)
    return Summary(warehouse.query)


async def test_the_rows_are_of_the_tenant_and_of_the_last_days(warehouse: Warehouse) -> None:
    summary = await fill(warehouse)
    assert await summary.rows("acme", 7, TODAY) == [("call", 3, -0.25), ("agent_action", 1, None)]
    assert await summary.rows("acme", 1, TODAY) == [("call", 2, -0.125), ("agent_action", 1, None)]
    assert await summary.rows("acme", 8, TODAY) == [("call", 4, -0.125), ("agent_action", 1, None)]
    assert await summary.rows("nobody", 8, TODAY) == []


async def test_the_report_is_by_type_day_hour_agent_and_topic_with_the_time_before(warehouse: Warehouse) -> None:
    report = await (await fill(warehouse)).report("acme", 7, TODAY)
    assert (report["from"], report["to"]) == ("2026-11-16", "2026-11-22")
    assert report["total"] == {"events": 4, "sentiment": -0.25, "scored": 3, "positive": 1, "neutral": 0, "negative": 2, "complaints": 2}
    assert (report["trend"]["before"]["events"], report["trend"]["events"], report["trend"]["sentiment"]) == (1, 3.0, -0.5)
    assert [(line["event_type"], line["events"]) for line in report["by_type"]] == [("call", 3), ("agent_action", 1)]
    assert [(line["day"], line["events"]) for line in report["by_day"]] == [("2026-11-16", 1), ("2026-11-22", 3)]
    assert [(line["hour"], line["events"]) for line in report["by_hour"]] == [(10, 4)]
    assert [(line["agent_id"], line["events"], line["sentiment"]) for line in report["by_agent"]] == [("agent1", 3, -0.5), ("agent2", 1, 0.25)]
    assert [(line["topic"], line["events"]) for line in report["by_topic"]] == [("complaint", 2), ("billing", 1)]
