"""Who reads the completeness ledger, and what a bad question is answered with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.web_desk import OTHER, TENANT, UnitDesk, asking
from voc_stream.errors import OutageError
from voc_stream.web.api.completeness import store_of


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
async def client(door: UnitDesk, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """Asks as the operator of all tenants."""
    async with asking(door, store_of, store) as made:
        yield made


async def test_the_operator_gets_the_last_day(client: httpx.AsyncClient, store: Store) -> None:
    answer = await client.get("/completeness")

    assert answer.json() == {"equations": [], "complete": True}
    ((since, asked),) = store.asked
    assert timedelta(hours=24) < datetime.now(UTC) - since < timedelta(hours=26)
    assert asked == {"tenant_id": None, "only_gaps": False, "limit": 1000}


async def test_one_tenant_and_only_gaps_can_be_asked_for(client: httpx.AsyncClient, store: Store) -> None:
    await client.get("/completeness?tenant_id=acme&gaps=only&hours=2")

    assert store.asked[0][1] == {"tenant_id": "acme", "only_gaps": True, "limit": 1000}


async def test_an_operator_of_one_tenant_sees_that_tenant_s(door: UnitDesk, client: httpx.AsyncClient, store: Store) -> None:
    bound = door.keyring.headers("operate")
    assert (await client.get("/completeness", headers=bound)).status_code == 200
    assert (await client.get(f"/completeness?tenant_id={OTHER}", headers=bound)).status_code == 404
    assert (await client.get("/completeness?tenant_id=*", headers=bound)).status_code == 404
    assert [asked["tenant_id"] for _, asked in store.asked] == [TENANT]


async def test_only_an_operator_reads(door: UnitDesk, client: httpx.AsyncClient, store: Store) -> None:
    for headers, status in ((door.keyring.headers("read", ""), 403), ({"Authorization": "Bearer other"}, 401)):
        assert (await client.get("/completeness", headers=headers)).status_code == status
    assert store.asked == []


@pytest.mark.parametrize("question", ["hours=0", "hours=2161", "hours=x", "hours=%D9%A1", "tenant_id=%27", "tenant_id=", "gaps=none", "more=1"])
async def test_a_bad_question_is_told_so(client: httpx.AsyncClient, store: Store, question: str) -> None:
    answer = await client.get(f"/completeness?{question}")

    assert (answer.status_code, store.asked) == (422, [])


async def test_without_postgres_the_page_says_so(client: httpx.AsyncClient, store: Store) -> None:
    store.is_down = True
    answer = await client.get("/completeness")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
