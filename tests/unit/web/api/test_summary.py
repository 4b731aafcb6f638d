"""Who gets a summary, and what a bad question or a missing ClickHouse is answered with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.web_desk import OTHER, TENANT, UnitDesk, asking
from voc_stream.errors import OutageError, OutsideError
from voc_stream.services.summary import Summary
from voc_stream.web.api.summary import summary_of

BOTH = (f"/metrics/summary?tenant_id={TENANT}", f"/tenants/{TENANT}/summary")


class Sums:
    """Stands for the warehouse: notes what is asked."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.fails: OutsideError | None = None

    async def query(self, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        assert "FROM voc_sums" in statement
        self.asked.append(parameters)
        if self.fails is not None:
            raise self.fails
        sums = {"events": 4, "scored": 2, "sentiment_sum": Decimal(-1), "positive": 0, "negative": 2, "complaints": 1}
        if "before" in parameters:
            day = (datetime.now(UTC).date() - datetime(1970, 1, 1, tzinfo=UTC).date()).days
            found = [("day", day, "", "call"), ("hour", 9, "", ""), ("agent", 0, "a-1", ""), ("topic", 0, "billing", "")]
            return [{"by": by, "moment": moment, "key": key, "event_type": kind, **sums} for by, moment, key, kind in found]
        return [{"event_type": "agent_action", **sums, "scored": 0}, {"event_type": "call", **sums}]


@pytest.fixture
def sums() -> Sums:
    return Sums()


@pytest.fixture
async def client(door: UnitDesk, sums: Sums) -> AsyncIterator[httpx.AsyncClient]:
    """Asks as a reader of one tenant."""
    async with asking(door, summary_of, Summary(sums.query), scope="read", tenant=TENANT) as made:
        yield made


async def test_event_types_come_with_count_and_mean_and_calls_first(client: httpx.AsyncClient, sums: Sums) -> None:
    assert (await client.get("/metrics/summary")).json() == {"rows": [["call", 4, -0.5], ["agent_action", 4, None]]}
    assert sums.asked == [{"tenant": TENANT, "first": datetime.now(UTC).date() - timedelta(days=6)}]


async def test_a_report_has_days_hours_agents_topics_and_the_time_before(client: httpx.AsyncClient) -> None:
    told = (await client.get(f"/tenants/{TENANT}/summary?days=3")).json()
    today = datetime.now(UTC).date()
    assert (told["from"], told["to"], told["total"]["events"], told["trend"]["before"]["events"]) == (str(today - timedelta(2)), str(today), 4, 0)
    named = (told["by_type"][0]["event_type"], told["by_day"][0]["day"], told["by_hour"][0]["hour"], told["by_agent"][0]["agent_id"])
    assert (*named, told["by_topic"][0]["topic"]) == ("call", str(today), 9, "a-1", "billing")


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("given", [None, "", "s3cret", "Bearer ", "Bearer s3cre", "Basic s3cret"])
async def test_without_a_token_nobody_reads(client: httpx.AsyncClient, sums: Sums, path: str, given: str | None) -> None:
    del client.headers["Authorization"]
    answer = await client.get(path, headers={"Authorization": given} if given is not None else {})
    assert (answer.status_code, answer.headers["WWW-Authenticate"][:6], sums.asked) == (401, "Bearer", [])


async def test_another_tenant_s_numbers_are_not_found_and_a_reader_of_all_names_one(door: UnitDesk, client: httpx.AsyncClient) -> None:
    for path in (f"/metrics/summary?tenant_id={OTHER}", f"/tenants/{OTHER}/summary"):
        assert (await client.get(path)).status_code == 404
    everybody = door.keyring.headers("read", "")
    assert (await client.get("/metrics/summary", headers=everybody)).status_code == 422
    assert (await client.get(BOTH[0], headers=everybody)).status_code == 200


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "seven", "", "3651", "99999", "\u0667"])
async def test_days_are_a_whole_number_within_ten_years(client: httpx.AsyncClient, days: str) -> None:
    answer = await client.get(f"/tenants/{TENANT}/summary", params={"days": days})
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "query.days")


@pytest.mark.parametrize("query", ["?tenant_id=", "?tenant_id=../x", "?tenant_id='; DROP", f"?tenant_id={'x' * 65}"])
async def test_a_tenant_must_be_named_properly(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/metrics/summary{query}")
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "query.tenant_id")


@pytest.mark.parametrize("path", BOTH)
async def test_without_clickhouse_the_answer_is_503(client: httpx.AsyncClient, sums: Sums, path: str) -> None:
    sums.fails = OutageError("clickhouse", "cannot be reached")
    answer = await client.get(path)
    assert (answer.status_code, "clickhouse" in answer.json()["detail"], answer.headers["Retry-After"]) == (503, True, "5")


@pytest.mark.parametrize("path", BOTH)
async def test_many_who_ask_at_once_are_one_question(client: httpx.AsyncClient, sums: Sums, path: str) -> None:
    answers = await asyncio.gather(*(client.get(path) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == len(sums.asked) == 1
