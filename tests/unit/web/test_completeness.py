"""Who reads the completeness ledger, and what a bad question is answered with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.unit.services.made import settings
from voc_stream.clients.completeness_store import CompletenessStore
from voc_stream.errors import OutageError
from voc_stream.web.completeness import pages

KNOWN = {"Authorization": "Bearer s3cret"}
Client = TestClient[web.Request, web.Application]


class Store:
    """Stands for PostgreSQL: notes what is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[datetime, dict[str, Any]]] = []
        self.is_down = False

    async def report(self, since: datetime, **asked: Any) -> dict[str, Any]:
        self.asked.append((since, asked))
        if self.is_down:
            raise OutageError("postgres", "connection lost")
        return {"equations": [], "complete": True}


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def client(store: Store) -> AsyncIterator[Client]:
    app = web.Application()
    for (method, path), page in pages(cast("CompletenessStore", store), settings(operator_token="s3cret")).items():
        app.router.add_route(method, path, page)
    async with TestClient(TestServer(app)) as made:
        yield made


async def test_the_operator_gets_the_last_day(client: Client, store: Store) -> None:
    answer = await client.get("/completeness", headers=KNOWN)

    assert await answer.json() == {"equations": [], "complete": True}
    ((since, asked),) = store.asked
    assert timedelta(hours=24) < datetime.now(UTC) - since < timedelta(hours=26)
    assert asked == {"tenant_id": None, "only_gaps": False, "limit": 1000}


async def test_one_tenant_and_only_gaps_can_be_asked_for(client: Client, store: Store) -> None:
    await client.get("/completeness?tenant_id=acme&gaps=only&hours=2", headers=KNOWN)

    assert store.asked[0][1] == {"tenant_id": "acme", "only_gaps": True, "limit": 1000}


@pytest.mark.parametrize("given", [None, "Bearer other"])
async def test_without_the_token_nobody_reads(client: Client, store: Store, given: str | None) -> None:
    answer = await client.get("/completeness", headers={"Authorization": given} if given else {})

    assert (answer.status, store.asked) == (401, [])


@pytest.mark.parametrize("question", ["hours=0", "hours=2161", "hours=x", "hours=%D9%A1", "tenant_id=%27", "tenant_id="])
async def test_a_bad_question_is_told_so(client: Client, store: Store, question: str) -> None:
    answer = await client.get(f"/completeness?{question}", headers=KNOWN)

    assert (answer.status, store.asked) == (400, [])


async def test_without_postgres_the_page_says_so(client: Client, store: Store) -> None:
    store.is_down = True
    answer = await client.get("/completeness", headers=KNOWN)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
