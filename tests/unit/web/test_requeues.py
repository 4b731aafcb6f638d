"""Who sends dead letters back by HTTP, how much of it one request does, and what it is answered with."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.fakes.letters import Kafka, Shelf, letter
from tests.voc import action_value
from voc_stream.clients.topic_load import TopicLoads
from voc_stream.errors import OutageError
from voc_stream.services.dry_run import DryRun
from voc_stream.services.requeue import Requeuer
from voc_stream.services.trial import Trials
from voc_stream.settings import Settings
from voc_stream.stages.tenants import TenantMap
from voc_stream.web.requeues import pages

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KNOWN = {"Authorization": "Bearer s3cret"}
BOTH = ("/dlq/requeue", "/dlq/dry-run")
SETTINGS = Settings(operator_token="s3cret")
Client = TestClient[web.Request, web.Application]


class Desk:
    """The pages over letters in memory; every look at the clock takes `tick` seconds."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.kafka = Kafka()
        self.down: OutageError | None = None
        self.tick = 0.0

    async def client(self) -> Client:
        seconds = itertools.count()
        dry = DryRun(letters=self.shelf, trials=Trials(SETTINGS, TenantMap), most_requeues=3, now=lambda: NOW)
        app = web.Application()
        for (method, path), page in pages(self._requeuer, dry, self._loads, SETTINGS, lambda: next(seconds) * self.tick).items():
            app.router.add_route(method, path, page)
        return TestClient(TestServer(app))

    def _requeuer(self, loads: Any) -> Requeuer:
        async def rest(_seconds: float) -> None: ...

        return Requeuer(letters=self.shelf, store=self.shelf, publisher=self.kafka, loads=loads, settings=SETTINGS, sleep=rest, now=lambda: NOW)

    @asynccontextmanager
    async def _loads(self) -> AsyncIterator[TopicLoads]:
        if self.down is not None:
            raise self.down
        loads: Any = self.kafka
        yield loads


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[Client]:
    async with await desk.client() as client:
        yield client


async def test_letters_of_a_failure_go_back_in_the_operator_s_name(desk: Desk, client: Client) -> None:
    desk.shelf.add(letter(1), letter(2, cut_from=9), letter(3, fingerprint="other"))

    answer = await client.post("/dlq/requeue", json={"fingerprint": "f1"}, headers=KNOWN)

    assert await answer.json() == {
        "chosen": 2,
        "sent": 1,
        "along": 0,
        "left_open": [{"reason": "only the beginning of its value was kept", "letters": 1}],
        "waiting": None,
    }
    assert desk.shelf.audit == [("operator-token", 1)]


async def test_a_request_ends_in_time_and_the_next_one_goes_on(desk: Desk, client: Client) -> None:
    desk.shelf.add(*(letter(number) for number in range(1, 101)))
    desk.tick = 5.0

    first = await (await client.post("/dlq/requeue", json={"fingerprint": "f1", "limit": 1000}, headers=KNOWN)).json()
    desk.tick = 0.0
    second = await (await client.post("/dlq/requeue", json={"fingerprint": "f1", "limit": 1000}, headers=KNOWN)).json()

    assert 0 < first["sent"] < 100
    assert first["sent"] + second["sent"] == len(desk.kafka.records) == len(desk.shelf.audit) == 100


async def test_a_topic_that_is_behind_is_named(desk: Desk, client: Client) -> None:
    desk.shelf.add(letter(1))
    desk.kafka.lags["voc.calls"] = [10**6]
    desk.tick = 5.0

    answer = await (await client.post("/dlq/requeue", json={"ids": [1]}, headers=KNOWN)).json()

    assert (answer["sent"], answer["waiting"]) == (0, "voc.calls is 1000000 records behind")


async def test_a_dry_run_says_how_many_would_pass_and_sends_nothing(desk: Desk, client: Client) -> None:
    desk.shelf.add(letter(1, value=action_value(timestamp=NOW)), letter(2, value=b"{"))

    answer = await (await client.post("/dlq/dry-run", json={"topic": "voc.calls"}, headers=KNOWN)).json()

    assert (answer["letters"], answer["passes"], answer["fails"], answer["complete"]) == (2, 1, 1, True)
    assert desk.kafka.records == []


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("given", [None, "Bearer ", "Bearer s3cre", "s3cret"])
async def test_without_the_token_nothing_is_done(desk: Desk, client: Client, path: str, given: str | None) -> None:
    desk.shelf.add(letter(1))
    answer = await client.post(path, json={"ids": [1]}, headers={"Authorization": given} if given is not None else {})
    assert (answer.status, desk.kafka.records) == (401, [])


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"{", b'{"limit": 5}', b'{"state": "open"}', b'{"ids": [1], "state": "discarded"}', b'{"ids": [1], "after": 3}',
     b'{"ids": [0]}', b'{"ids": [1], "limit": 0}', b'{"ids": [1], "limit": 10001}', b'{"ids": [1], "which": 1}'],
)  # fmt: skip
async def test_a_bad_question_is_answered_with_400(desk: Desk, client: Client, path: str, body: bytes) -> None:
    desk.shelf.add(letter(1))
    answer = await client.post(path, data=body, headers=KNOWN)
    assert (answer.status, desk.kafka.records) == (400, [])


async def test_while_kafka_is_down_the_answer_is_503_and_says_so(desk: Desk, client: Client) -> None:
    desk.shelf.add(letter(1))
    desk.down = OutageError("kafka", "cannot be reached")
    answer = await client.post("/dlq/requeue", json={"ids": [1]}, headers=KNOWN)
    assert (answer.status, await answer.text(), answer.headers["Retry-After"]) == (503, "kafka: cannot be reached\n", "5")
    assert desk.shelf.states[1] == "open"
