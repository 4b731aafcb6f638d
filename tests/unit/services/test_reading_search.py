"""What a search asks of ClickHouse, and what it shows of what it found."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.postgres import Database
from voc_stream.services.cursors import CursorError
from voc_stream.services.reading_search import SearchAsked, SearchReading, page_statement
from voc_stream.stages.searching import Looked

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class FakeWarehouse:
    """Answers every question with the same rows."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.values: list[Mapping[str, Any]] = []

    async def query(self, _statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        self.values.append(values)
        return self.rows


def row(payload: str, text: str = "", *, number: int = 1) -> dict[str, Any]:
    return {
        "call_id": "c1",
        "ts": NOON.replace(tzinfo=None),
        "event_id": uuid.UUID(int=number),
        "agent_id": "anna",
        "topic": None,
        "sentiment": 0.1,
        "told": payload,
        "text": text,
    }


def searching(warehouse: FakeWarehouse, monkeypatch: pytest.MonkeyPatch) -> SearchReading:
    made = SearchReading(cast("ClickHouse", warehouse), cast("Database", None))

    async def known(_tenant: str, _calls: list[str]) -> set[str]:
        return set()

    monkeypatch.setattr(made, "_known", known)
    return made


def test_every_value_is_a_parameter_and_the_tenants_own() -> None:
    asked = SearchAsked(text='refund "my router"', agent_id="a'b", since=NOON)
    statement, values = page_statement("acme", asked, Looked.for_(asked.text), 21)
    words = {"words": ["refund", "my", "router"], "phrase0": "my router"}
    assert values == {"tenant": "acme", "agent_id": "a'b", "since": "2026-11-22 12:00:00.000"} | words
    assert "a'b" not in statement
    assert "max_execution_time = 4" in statement


async def test_the_turns_in_which_it_is_are_shown_with_their_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    said = (("agent", 0.5, "Good day"), ("customer", 2.5, "A <i>refund</i>!"))
    turns = [{"speaker": speaker, "start": start, "end": start + 1, "text": text} for speaker, start, text in said]
    page = await searching(FakeWarehouse([row(json.dumps({"turns": turns}))]), monkeypatch).page("acme", SearchAsked(text="refund"))
    (snippet,) = page.hits[0].snippets
    assert (snippet.speaker, snippet.start) == ("customer", 2.5)
    assert [(part.text, part.hit) for part in snippet.parts] == [("A <i>", False), ("refund", True), ("</i>!", False)]


@pytest.mark.parametrize("payload", ["", "not json", '{"turns": 5}', '{"turns": null}', "[]"])
async def test_without_turns_the_text_is_shown(monkeypatch: pytest.MonkeyPatch, payload: str) -> None:
    page = await searching(FakeWarehouse([row(payload, "I want a refund")]), monkeypatch).page("acme", SearchAsked(text="refund"))
    (snippet,) = page.hits[0].snippets
    assert (snippet.speaker, snippet.start, snippet.parts[-1].text) == (None, None, "refund")


async def test_the_next_page_begins_behind_the_last_one_that_was_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = FakeWarehouse([row("", number=3), row("", number=2)])
    search = searching(warehouse, monkeypatch)
    page = await search.page("acme", SearchAsked(text="refund", limit=1))
    assert len(page.hits) == 1
    await search.page("acme", SearchAsked(text="refund", limit=1, cursor=page.next))
    assert (warehouse.values[1]["at"], warehouse.values[1]["event"]) == (1795348800000, str(uuid.UUID(int=3)))
    with pytest.raises(CursorError):
        await search.page("acme", SearchAsked(text="router", limit=1, cursor=page.next))
