"""Who may pause and resume, how it is asked for, and what a bad order is answered with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from voc_stream.clients.pause_store import PauseStore
from voc_stream.errors import OutageError
from voc_stream.runtime.pauses import Pauses
from voc_stream.settings import load_settings
from voc_stream.stages.pause_orders import PauseOrder
from voc_stream.web.pauses import pages

KNOWN = {"Authorization": "Bearer s3cret"}
STAGES = ("download", "score", "voc")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
Client = TestClient[web.Request, web.Application]


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
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def client(store: Store, pauses: Pauses) -> AsyncIterator[Client]:
    app = web.Application()
    for (method, path), page in pages(cast("PauseStore", store), pauses, STAGES, load_settings(operator_token="s3cret")).items():
        app.router.add_route(method, path, page)
    async with TestClient(TestServer(app)) as made:
        yield made


async def test_without_the_token_nobody_sees_or_orders_anything(client: Client, store: Store) -> None:
    for headers in ({}, {"Authorization": "Bearer other"}):
        assert (await client.get("/pauses", headers=headers)).status == 401
        assert (await client.post("/pauses", headers=headers, json={"action": "pause", "stage": "score"})).status == 401
    assert store.orders == []


async def test_a_stage_is_paused_and_resumed_and_this_worker_follows_at_once(client: Client, pauses: Pauses) -> None:
    asked: dict[str, Any] = {"action": "pause", "stage": "score", "reason": "a new rubric"}
    answer = await client.post("/pauses", headers=KNOWN, json=asked)
    assert await answer.json() == {
        "stage": "score", "tenant_id": None, "paused": True, "reason": "a new rubric", "actor": "operator-token", "changed_at": NOON.isoformat(),
    }  # fmt: skip
    assert not pauses.is_open("score")
    shown = await (await client.get("/pauses", headers=KNOWN)).json()
    assert [order["stage"] for order in shown["orders"]] == ["score"]
    assert shown["stages"] == ["score: paused by an operator (a new rubric)"]

    await client.post("/pauses", headers=KNOWN, json={"action": "resume", "stage": "score"})
    assert pauses.is_open("score")
    assert (await (await client.get("/pauses", headers=KNOWN)).json())["orders"] == []


async def test_a_tenant_is_paused_in_every_stage(client: Client, pauses: Pauses) -> None:
    await client.post("/pauses", headers=KNOWN, json={"action": "pause", "tenant_id": "acme"})
    assert pauses.paused_tenants("score") == pauses.paused_tenants("voc") == {"acme"}


async def test_tenants_beyond_their_rate_are_shown(client: Client, pauses: Pauses) -> None:
    pauses.spend("score", {"acme": 1000, None: 1000})
    assert (await (await client.get("/pauses", headers=KNOWN)).json())["throttled"] == {"score": [None, "acme"]}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"action":"stop","stage":"score"}', "action"),
        (b'{"action":"pause"}', "name a stage"),
        (b'{"action":"pause","stage":"nothing"}', "download, score, voc"),
        (b'{"action":"pause","tenant_id":"*"}', "tenant_id"),
        (b'{"action":"pause","tenant_id":"a\\u0000"}', "tenant_id"),
        (b'{"action":"pause","stage":"score","tenants":["a"]}', "tenants"),
        (b'{"action":"pause","stage":"score","reason":"' + b"x" * 501 + b'"}', "reason"),
    ],
)
async def test_a_bad_order_is_answered_with_what_is_wrong(client: Client, store: Store, body: bytes, word: str) -> None:
    answer = await client.post("/pauses", headers=KNOWN, data=body)
    assert answer.status == 400
    assert word in await answer.text()
    assert store.orders == []


async def test_while_postgres_is_down_nothing_is_ordered_and_the_answer_says_why(client: Client, store: Store, pauses: Pauses) -> None:
    store.down = True
    answer = await client.post("/pauses", headers=KNOWN, json={"action": "pause", "stage": "score"})
    assert answer.status == 503
    assert "connection lost" in await answer.text()
    assert pauses.is_open("score")
