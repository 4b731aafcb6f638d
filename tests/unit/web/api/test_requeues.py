"""Who sends dead letters back by HTTP, how much of it one request does, and what it is answered with."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.fakes.letters import Kafka, Shelf, letter
from tests.voc import action_value
from tests.web_desk import OTHER, UnitDesk, asking
from voc_stream.errors import OutageError
from voc_stream.services.dry_run import DryRun
from voc_stream.services.requeue import Loads, Requeuer
from voc_stream.services.trial import Trials
from voc_stream.settings import Settings
from voc_stream.stages.tenants import TenantMap
from voc_stream.web.api.requeues import Tools, tools_of

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BOTH = ("/dlq/requeue", "/dlq/dry-run")
SETTINGS = Settings()


class World:
    """Letters in memory; every look at the clock takes `tick` seconds."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.kafka = Kafka()
        self.down: OutageError | None = None
        self.tick = 0.0
        seconds = itertools.count()
        dry = DryRun(letters=self.shelf, trials=Trials(SETTINGS, TenantMap), most_requeues=3, now=lambda: NOW)
        self.tools = Tools(self._requeuer, dry, self._loads, lambda: next(seconds) * self.tick)

    def _requeuer(self, loads: Any) -> Requeuer:
        async def rest(_seconds: float) -> None: ...

        return Requeuer(letters=self.shelf, store=self.shelf, publisher=self.kafka, loads=loads, settings=SETTINGS, sleep=rest, now=lambda: NOW)

    @asynccontextmanager
    async def _loads(self) -> AsyncIterator[Loads]:
        if self.down is not None:
            raise self.down
        yield self.kafka


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(door: UnitDesk, world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Asks as the operator of all tenants."""
    async with asking(door, tools_of, world.tools) as made:
        yield made


async def test_letters_of_a_failure_go_back_in_the_operator_s_name(door: UnitDesk, world: World, client: httpx.AsyncClient) -> None:
    world.shelf.add(letter(1), letter(2, cut_from=9), letter(3, fingerprint="other"))

    answer = await client.post("/dlq/requeue", json={"fingerprint": "f1"})

    assert answer.json() == {
        "chosen": 2,
        "sent": 1,
        "along": 0,
        "left_open": [{"reason": "only the beginning of its value was kept", "letters": 1}],
        "waiting": None,
    }
    assert world.shelf.audit == [(f"token:{door.keyring.tokens['', 'operate'].key}", 1)]


async def test_a_request_ends_in_time_and_the_next_one_goes_on(world: World, client: httpx.AsyncClient) -> None:
    world.shelf.add(*(letter(number) for number in range(1, 101)))
    world.tick = 5.0

    first = (await client.post("/dlq/requeue", json={"fingerprint": "f1", "limit": 1000})).json()
    world.tick = 0.0
    second = (await client.post("/dlq/requeue", json={"fingerprint": "f1", "limit": 1000})).json()

    assert 0 < first["sent"] < 100
    assert first["sent"] + second["sent"] == len(world.kafka.records) == len(world.shelf.audit) == 100


async def test_a_topic_that_is_behind_is_named(world: World, client: httpx.AsyncClient) -> None:
    world.shelf.add(letter(1))
    world.kafka.lags["voc.calls"] = [10**6]
    world.tick = 5.0

    answer = (await client.post("/dlq/requeue", json={"ids": [1]})).json()

    assert (answer["sent"], answer["waiting"]) == (0, "voc.calls is 1000000 records behind")


async def test_a_dry_run_says_how_many_would_pass_and_sends_nothing(world: World, client: httpx.AsyncClient) -> None:
    world.shelf.add(letter(1, value=action_value(timestamp=NOW)), letter(2, value=b"{"))

    answer = (await client.post("/dlq/dry-run", json={"topic": "voc.calls"})).json()

    assert (answer["letters"], answer["passes"], answer["fails"], answer["complete"]) == (2, 1, 1, True)
    assert world.kafka.records == []


async def test_one_requeue_at_a_time(world: World, client: httpx.AsyncClient) -> None:
    async with world.tools.sending:
        assert (await client.post("/dlq/requeue", json={"ids": [1]})).status_code == 409


@pytest.mark.parametrize("path", BOTH)
async def test_only_an_operator_sends_anything_and_nobody_what_is_another_tenant_s(
    door: UnitDesk, world: World, client: httpx.AsyncClient, path: str
) -> None:
    world.shelf.add(letter(1))
    assert (await client.post(path, json={"ids": [1]}, headers=door.keyring.headers("read", ""))).status_code == 403
    assert (await client.post(path, json={"ids": [1]}, headers={"Authorization": "Bearer s3cre"})).status_code == 401
    assert (await client.post(path, json={"tenant_id": OTHER}, headers=door.keyring.headers("operate"))).status_code == 404
    assert world.kafka.records == []


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"{", b'{"limit": 5}', b'{"state": "open"}', b'{"ids": [1], "state": "discarded"}', b'{"ids": [1], "after": 3}',
     b'{"ids": [0]}', b'{"ids": [1], "limit": 0}', b'{"ids": [1], "limit": 10001}', b'{"ids": [1], "which": 1}'],
)  # fmt: skip
async def test_a_bad_question_is_refused(world: World, client: httpx.AsyncClient, path: str, body: bytes) -> None:
    world.shelf.add(letter(1))
    answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, world.kafka.records) == (422, [])


async def test_while_kafka_is_down_the_answer_is_503_and_says_so(world: World, client: httpx.AsyncClient) -> None:
    world.shelf.add(letter(1))
    world.down = OutageError("kafka", "cannot be reached")
    answer = await client.post("/dlq/requeue", json={"ids": [1]})
    assert (answer.status_code, "kafka" in answer.json()["detail"], answer.headers["Retry-After"]) == (503, True, "5")
    assert world.shelf.states[1] == "open"
