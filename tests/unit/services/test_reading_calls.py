"""The statement of a page of calls: a condition for each filter that is given, and every value a parameter."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from voc_stream.services.cursors import CursorError, cursor_of
from voc_stream.services.reading_calls import CallsAsked, page_statement
from voc_stream.stages.changes import Status

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_page_without_filters_is_the_tenants_only() -> None:
    statement, values = page_statement("acme", CallsAsked(), 51)
    assert "WHERE tenant_id = $1 ORDER BY started_at DESC, id DESC LIMIT 51" in statement
    assert values == ["acme"]


def test_each_filter_is_a_condition_with_a_parameter() -> None:
    asked = CallsAsked(
        since=NOON,
        until=NOON,
        agent_id="'; DROP",
        skill="s",
        status=Status.ERROR,
        topic="t",
        score_from=1,
        score_to=2,
        sentiment_from=-1,
        sentiment_to=0,
    )
    statement, values = page_statement("acme", asked, 11)
    assert values == ["acme", NOON, NOON, "'; DROP", "s", Status.ERROR, "t", 1, 2, -1, 0]
    assert "sentiment <= $11" in statement
    assert "DROP" not in statement


def test_zero_is_a_filter_too() -> None:
    assert page_statement("acme", CallsAsked(score_from=0.0), 11)[1] == ["acme", 0.0]


@pytest.mark.parametrize(("sort", "sign"), [("-score", "<"), ("score", ">")])
def test_the_next_page_begins_behind_the_cursor_and_by_score_only_scored_calls_are_listed(sort: str, sign: str) -> None:
    asked = CallsAsked(sort=sort)  # type: ignore[arg-type]
    cursor = cursor_of((87.25, 12), CallsAsked(sort=sort, limit=0))  # type: ignore[arg-type]
    statement, values = page_statement("acme", CallsAsked(sort=asked.sort, cursor=cursor), 11)
    assert f"score IS NOT NULL AND (score, id) {sign} ($2, $3)" in statement
    assert values == ["acme", 87.25, 12]


def test_a_cursor_of_another_order_is_refused() -> None:
    with pytest.raises(CursorError):
        page_statement("acme", CallsAsked(cursor=cursor_of((NOON, 1), CallsAsked(sort="started_at", limit=0))), 11)
