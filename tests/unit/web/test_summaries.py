"""Who gets a summary, and what a bad question or a missing ClickHouse is answered with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from voc_stream.errors import OutageError, OutsideError
from voc_stream.services.summary import Summary
from voc_stream.web.summaries import pages

KNOWN = {"Authorization": "Bearer s3cret"}
BOTH = ("/metrics/summary?tenant_id=acme", "/tenants/acme/summary")
Client = TestClient[web.Request, web.Application]


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
            return []
        return [{"event_type": "agent_action", **sums, "scored": 0}, {"event_type": "call", **sums}]


@pytest.fixture
def sums() -> Sums:
    return Sums()


async def served(sums: Sums, token: str) -> Client:
    app = web.Application()
    for (method, path), page in pages(Summary(sums.query), SecretStr(token)).items():
        app.router.add_route(method, path, page)
    return TestClient(TestServer(app))


@pytest.fixture
async def client(sums: Sums) -> AsyncIterator[Client]:
    async with await served(sums, "s3cret") as client:
        yield client


async def test_event_types_come_with_count_and_mean_and_calls_first(client: Client, sums: Sums) -> None:
    answer = await client.get(BOTH[0], headers=KNOWN)
    assert await answer.json() == {"rows": [["call", 4, -0.5], ["agent_action", 4, None]]}
    assert sums.asked == [{"tenant": "acme", "first": datetime.now(UTC).date() - timedelta(days=6)}]


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("given", [None, "", "s3cret", "Bearer ", "Bearer s3cre", "bearer s3cret", "Basic s3cret", "Bearer \xe9"])
async def test_without_the_token_nobody_reads(client: Client, sums: Sums, path: str, given: str | None) -> None:
    answer = await client.get(path, headers={"Authorization": given} if given is not None else {})
    assert (answer.status, answer.headers["WWW-Authenticate"], sums.asked) == (401, "Bearer", [])


@pytest.mark.parametrize("path", BOTH)
async def test_where_no_token_is_set_nobody_reads(sums: Sums, path: str) -> None:
    async with await served(sums, "") as client:
        for given in ({}, {"Authorization": "Bearer "}, KNOWN):
            answer = await client.get(path, headers=given)
            assert (answer.status, await answer.text()) == (401, "closed: SUMMARY_TOKEN is not set\n")
    assert sums.asked == []


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "seven", "", "3651", "99999", "\u0667", "7 "])
async def test_days_are_a_whole_number_within_ten_years(client: Client, days: str) -> None:
    answer = await client.get("/tenants/acme/summary", params={"days": days}, headers=KNOWN)
    assert (answer.status, await answer.text()) == (400, "days: a whole number from 1 to 3650\n")


@pytest.mark.parametrize("query", ["", "?tenant_id=", "?tenant_id=../x", "?tenant_id='; DROP", f"?tenant_id={'x' * 65}"])
async def test_a_tenant_must_be_named_properly(client: Client, query: str) -> None:
    answer = await client.get(f"/metrics/summary{query}", headers=KNOWN)
    assert answer.status == 400
    assert (await answer.text()).startswith("tenant_id: ")


@pytest.mark.parametrize("path", BOTH)
async def test_without_clickhouse_the_answer_is_503_in_one_line(client: Client, sums: Sums, path: str) -> None:
    sums.fails = OutageError("clickhouse", "cannot be reached")
    answer = await client.get(path, headers=KNOWN)
    assert (answer.status, await answer.text()) == (503, "clickhouse: cannot be reached\n")
