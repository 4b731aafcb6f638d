"""Numbers of a tenant from sums: merged, never averaged twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from voc_stream.services.summary import Summary, Sums

TODAY = date(2026, 11, 22)


def row(by: str, of: object, events: int, feeling: str = "0", scored: int = 0, *, event_type: str = "") -> dict[str, Any]:
    """Return a line of the answer; `of` is a date, an hour, or a key."""
    moment = (of - date(1970, 1, 1)).days if isinstance(of, date) else of if isinstance(of, int) else 0
    sums = {"events": events, "scored": scored, "sentiment_sum": Decimal(feeling), "positive": 0, "negative": scored, "complaints": 0}
    return {"by": by, "moment": moment, "key": of if isinstance(of, str) else "", "event_type": event_type, **sums}


async def report(*found: dict[str, Any]) -> dict[str, Any]:
    async def query(_statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        assert parameters == {"tenant": "acme", "first": TODAY - timedelta(days=1), "before": TODAY - timedelta(days=3)}
        return list(found)

    return await Summary(query).report("acme", 2, TODAY)


def test_a_mean_over_parts_weighs_each_event_the_same() -> None:
    many, few = Sums(events=10, scored=9, sentiment_sum=Decimal("0.9")), Sums(events=1, scored=1, sentiment_sum=Decimal("-0.9"))
    assert (many.mean, few.mean, Sums.total([many, few]).mean) == (0.1, -0.9, 0.0)


async def test_days_of_both_times_are_merged_by_type_and_by_day() -> None:
    found = await report(
        row("day", date(2026, 11, 19), 2, "1", 2, event_type="call"),
        row("day", date(2026, 11, 21), 1, "-0.5", 1, event_type="call"),
        row("day", date(2026, 11, 21), 1, event_type="qos_metric"),
        row("day", date(2026, 11, 22), 1, "-1", 1, event_type="call"),
    )
    assert (found["from"], found["to"], found["total"]["events"]) == ("2026-11-21", "2026-11-22", 3)
    assert [(line["day"], line["events"], line["sentiment"]) for line in found["by_day"]] == [("2026-11-21", 2, -0.5), ("2026-11-22", 1, -1.0)]
    assert [(line["event_type"], line["events"], line["sentiment"]) for line in found["by_type"]] == [("call", 2, -0.75), ("qos_metric", 1, None)]
    assert (found["trend"]["events"], found["trend"]["sentiment"], found["trend"]["before"]["events"]) == (0.5, -1.25, 2)


async def test_where_there_was_nothing_before_there_is_no_trend() -> None:
    found = await report(row("day", TODAY, 1, "0.5", 1, event_type="call"))
    assert (found["trend"]["events"], found["trend"]["sentiment"], found["trend"]["complaints"]) == (None, None, None)


async def test_hours_agents_and_topics_are_lines_of_their_own_and_those_without_a_name_are_left_out() -> None:
    found = await report(row("hour", 9, 3), row("agent", "", 7), row("agent", "agent1", 2, "0.5", 2), row("topic", "", 7), row("topic", "billing", 1))
    assert [(line["hour"], line["events"]) for line in found["by_hour"]] == [(9, 3)]
    assert [(line["agent_id"], line["events"], line["sentiment"]) for line in found["by_agent"]] == [("agent1", 2, 0.25)]
    assert [(line["topic"], line["events"]) for line in found["by_topic"]] == [("billing", 1)]


async def test_a_tenant_without_events_has_an_empty_summary() -> None:
    found = await report()
    assert (found["total"]["events"], found["total"]["sentiment"], found["by_day"], found["by_agent"]) == (0, None, [], [])
