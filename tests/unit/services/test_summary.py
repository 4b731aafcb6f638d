"""Numbers of a tenant from sums: merged, never averaged twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from voc_stream.services.summary import Summary, Sums

TODAY = date(2026, 11, 22)


def row(of: object, events: int, feeling: str = "0", scored: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "of": of,
        "events": events,
        "scored": scored,
        "sentiment_sum": Decimal(feeling),
        "positive": 0,
        "negative": scored,
        "complaints": 0,
        **more,
    }


async def report(by: Mapping[str, list[dict[str, Any]]], days: int = 2) -> dict[str, Any]:
    asked: dict[str, date] = {}

    async def query(_statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        asked[parameters["by"]] = parameters["first"]
        return by.get(parameters["by"], [])

    found = await Summary(query).report("acme", days, TODAY)
    assert asked["hour"] == asked["agent"] == asked["topic"] == TODAY - timedelta(days=days - 1)
    return found


def test_a_mean_over_parts_weighs_each_event_the_same() -> None:
    many, few = Sums(events=10, scored=9, sentiment_sum=Decimal("0.9")), Sums(events=1, scored=1, sentiment_sum=Decimal("-0.9"))
    assert (many.mean, few.mean, Sums.total([many, few]).mean) == (0.1, -0.9, 0.0)


async def test_days_of_both_times_are_merged_by_type_and_by_day() -> None:
    days = [
        row(date(2026, 11, 19), 2, "1", 2, event_type="call"),
        row(date(2026, 11, 21), 1, "-0.5", 1, event_type="call"),
        row(date(2026, 11, 21), 1, event_type="qos_metric"),
        row(date(2026, 11, 22), 1, "-1", 1, event_type="call"),
    ]
    found = await report({"day": days})
    assert (found["from"], found["to"], found["total"]["events"]) == ("2026-11-21", "2026-11-22", 3)
    assert [(line["day"], line["events"], line["sentiment"]) for line in found["by_day"]] == [("2026-11-21", 2, -0.5), ("2026-11-22", 1, -1.0)]
    assert [(line["event_type"], line["events"], line["sentiment"]) for line in found["by_type"]] == [("call", 2, -0.75), ("qos_metric", 1, None)]
    assert (found["trend"]["events"], found["trend"]["sentiment"], found["trend"]["before"]["events"]) == (0.5, -1.25, 2)


async def test_where_there_was_nothing_before_there_is_no_trend() -> None:
    found = await report({"day": [row(TODAY, 1, "0.5", 1, event_type="call")]})
    assert (found["trend"]["events"], found["trend"]["sentiment"], found["trend"]["complaints"]) == (None, None, None)


async def test_hours_agents_and_topics_are_lines_of_their_own() -> None:
    found = await report({"hour": [row(9, 3)], "agent": [row("agent1", 2, "0.5", 2)], "topic": [row("billing", 1)]})
    assert [line["hour"] for line in found["by_hour"]] == [9]
    assert found["by_agent"][0] | {"agent_id": "agent1", "events": 2, "sentiment": 0.25} == found["by_agent"][0]
    assert found["by_topic"][0]["topic"] == "billing"


async def test_a_tenant_without_events_has_an_empty_summary() -> None:
    found = await report({})
    assert (found["total"]["events"], found["total"]["sentiment"], found["by_day"], found["by_agent"]) == (0, None, [], [])
