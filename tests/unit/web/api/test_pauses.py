"""Who may pause and resume, how it is asked for, and what a bad order is answered with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.web_desk import OTHER, TENANT, UnitDesk, asking
from voc_stream.errors import OutageError
from voc_stream.stages.pause_orders import PauseOrder
from voc_stream.web.api.pauses import store_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
OF_WORKER = {"stages": ["score: paused by an operator (a new rubric)"], "throttled": {"score": [None, TENANT]}}


class Store:
    """Stands for PostgreSQL."""

    def __init__(self) -> None:
        self.orders: list[PauseOrder] = []
        self.down = False

    async def read(self) -> list[PauseOrder]:
        if self.down:
            raise OutageError("postgres", "connection lost")
        return self.orders

    async def order(self, stage: str, tenant_id: str, actor: str, *, paused: bool, reason: str) -> PauseOrder:
        if self.down:
            raise OutageError("postgres", "connection lost")
        order = PauseOrder(stage=stage, tenant_id=tenant_id, paused=paused, reason=reason, actor=actor, changed_at=NOON)
        self.orders = [*(each for each in self.orders if (each.stage, each.tenant_id) != (stage, tenant_id)), order]
        return order


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def client(door: UnitDesk, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """Asks as the operator of all tenants."""
    async with asking(door, store_of, store) as made:
        yield made


async def test_only_an_operator_sees_or_orders_anything(door: UnitDesk, client: httpx.AsyncClient, store: Store) -> None:
    for headers, status in ((door.keyring.headers("read", ""), 403), ({"Authorization": "Bearer other"}, 401)):
        assert (await client.get("/pauses", headers=headers)).status_code == status
        assert (await client.post("/pauses", headers=headers, json={"action": "pause", "stage": "score"})).status_code == status
    assert store.orders == []


async def test_a_stage_is_paused_and_resumed(door: UnitDesk, client: httpx.AsyncClient) -> None:
    asked: dict[str, Any] = {"action": "pause", "stage": "score", "reason": "a new rubric"}
    actor = f"token:{door.keyring.tokens['', 'operate'].key}"
    assert (await client.post("/pauses", json=asked)).json() == {
        "stage": "score", "tenant_id": None, "paused": True, "reason": "a new rubric", "actor": actor, "changed_at": "2026-11-22T12:00:00Z",
    }  # fmt: skip
    assert [order["stage"] for order in (await client.get("/pauses")).json()["orders"]] == ["score"]

    await client.post("/pauses", json={"action": "resume", "stage": "score"})
    assert (await client.get("/pauses")).json()["orders"] == []


async def test_what_the_worker_says_of_itself_is_told_and_without_one_it_is_not_known(door: UnitDesk, client: httpx.AsyncClient) -> None:
    alone = (await client.get("/pauses")).json()
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=OF_WORKER))
    door.desk.worker = httpx.AsyncClient(transport=transport, base_url="http://worker")
    assert (alone["stages"], alone["throttled"]) == (None, None)
    assert (await client.get("/pauses")).json() == {"orders": [], **OF_WORKER}


async def test_an_operator_of_one_tenant_pauses_and_sees_that_tenant_only(door: UnitDesk, client: httpx.AsyncClient, store: Store) -> None:
    bound = door.keyring.headers("operate")
    whole = await client.post("/pauses", headers=bound, json={"action": "pause", "stage": "score"})
    foreign = await client.post("/pauses", headers=bound, json={"action": "pause", "tenant_id": OTHER})
    assert (whole.status_code, foreign.status_code, store.orders) == (403, 404, [])

    assert (await client.post("/pauses", headers=bound, json={"action": "pause", "tenant_id": TENANT})).status_code == 200
    await client.post("/pauses", json={"action": "pause", "stage": "voc"})
    told = (await client.get("/pauses", headers=bound)).json()
    assert [(order["stage"], order["tenant_id"]) for order in told["orders"]] == [(None, TENANT)]
    assert told["stages"] is None


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b'{"action":"stop","stage":"score"}', "action"),
        (b'{"action":"pause"}', "name a stage"),
        (b'{"action":"pause","stage":"nothing"}', "'voc'"),
        (b'{"action":"pause","tenant_id":"*"}', "tenant_id"),
        (b'{"action":"pause","tenant_id":"a\\u0000"}', "tenant_id"),
        (b'{"action":"pause","stage":"score","tenants":["a"]}', "tenants"),
        (b'{"action":"pause","stage":"score","reason":"' + b"x" * 501 + b'"}', "reason"),
    ],
)
async def test_a_bad_order_is_answered_with_what_is_wrong(client: httpx.AsyncClient, store: Store, body: bytes, word: str) -> None:
    answer = await client.post("/pauses", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert word in answer.text
    assert store.orders == []


async def test_while_postgres_is_down_nothing_is_ordered(client: httpx.AsyncClient, store: Store) -> None:
    store.down = True
    answer = await client.post("/pauses", json={"action": "pause", "stage": "score"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
