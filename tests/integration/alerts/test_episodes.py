"""Episodes on the real databases: raised once by two evaluators at once, cleared by hysteresis, told by a signed webhook."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.integration.alerts.windows import NOW, arrive
from tests.unit.clients.http_server import Scripted, scripted_server
from tests.unit.services.made import FakePublisher
from voc_stream.clients.alert_outbox import LEASE, AlertOutbox
from voc_stream.clients.alert_readings import AlertReadings
from voc_stream.clients.alert_store import AlertStore
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.postgres import Database
from voc_stream.clients.webhook import WebhookClient
from voc_stream.events.alerts import AlertEvent
from voc_stream.events.base import Decoder
from voc_stream.services.alert_sender import AlertSender
from voc_stream.services.alerts import Evaluator
from voc_stream.services.alerts_file import alerts_file
from voc_stream.settings import Settings

SECRET = "a-made-up-secret-of-length"
RULES = """
[defaults.rules.low]
metric = "mean_sentiment"
raise_below = -0.3
clear_above = -0.1
minimum_count = 10
cool_down_minutes = 30
"""


@dataclass
class Replica:
    """An evaluator and a sender with connections of their own."""

    evaluator: Evaluator
    sender: AlertSender
    publisher: FakePublisher

    async def post(self) -> int:
        begun = await self.sender.post()
        await self.sender.settled()
        return begun


class Scene:
    """The databases, a clock, and any number of replicas."""

    def __init__(self, settings: Settings, warehouse: Warehouse, db: Database, path: Path, stack: AsyncExitStack) -> None:
        self.settings, self.warehouse, self.db, self.path, self.now = settings, warehouse, db, path, NOW
        self._stack = stack

    async def replica(self, rules: str = RULES, **values: Any) -> Replica:
        self.path.write_text(rules, encoding="utf-8")
        settings = self.settings.model_copy(update={"alerts_file": self.path, "alert_webhook_allow_private": True} | values)
        db, webhooks, publisher = Database(settings), WebhookClient(settings), FakePublisher()
        await webhooks.open()
        self._stack.push_async_callback(webhooks.close)
        self._stack.push_async_callback(db.close)
        file = alerts_file(settings)
        evaluator = Evaluator(file=file, readings=AlertReadings(self.warehouse), store=AlertStore(db), now=lambda: self.now)
        sender = AlertSender(
            outbox=AlertOutbox(db), publisher=publisher, webhooks=webhooks, file=file, topic="voc.alerts", now=lambda: self.now, chance=lambda: 0.0
        )
        return Replica(evaluator, sender, publisher)

    async def rows(self, statement: str) -> list[dict[str, Any]]:
        async with self.db.connection() as connection:
            return [dict(row) for row in await connection.fetch(statement)]


@pytest.fixture
async def scene(
    warehouse: Warehouse, db: Database, schema_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    monkeypatch.setenv("VOC_TEST_SECRET", SECRET)
    async with AsyncExitStack() as stack:
        yield Scene(schema_settings, warehouse, db, tmp_path / "alerts.toml", stack)


@pytest.fixture
async def receiver() -> AsyncIterator[Scripted]:
    async with scripted_server() as server:
        yield server


def hooked(url: str) -> str:
    return f'{RULES}\n[tenants.acme.webhook]\nurl = "{url}/hook"\nsecret = "env:VOC_TEST_SECRET"\n'


def events(publisher: FakePublisher) -> list[AlertEvent]:
    decoded = [Decoder(AlertEvent)(record.value) for record in publisher.published]
    return [event for event in decoded if isinstance(event, AlertEvent)]


async def test_two_evaluators_at_once_raise_each_alert_once(scene: Scene) -> None:
    tenants = [f"tenant-{number}" for number in range(20)]
    for tenant in tenants:
        await arrive(scene.warehouse, [-0.8] * 12, tenant_id=tenant)
    replicas = [await scene.replica() for _ in range(2)]

    raised = await asyncio.gather(*(replica.evaluator.turn() for replica in replicas))
    assert sum(raised) == len(tenants)
    assert await scene.rows("SELECT count(*) AS n, count(DISTINCT tenant_id) AS tenants FROM alert") == [{"n": 20, "tenants": 20}]

    await asyncio.gather(*(replica.sender.publish() for replica in replicas))
    told = [event.tenant_id for replica in replicas for event in events(replica.publisher)]
    assert sorted(told) == sorted(tenants)


async def test_an_alert_is_cleared_beyond_the_hysteresis_only_and_the_cool_down_follows(scene: Scene) -> None:
    replica = await scene.replica()
    await arrive(scene.warehouse, [-0.5] * 20)
    assert await replica.evaluator.turn() == 1

    await arrive(scene.warehouse, [0.1] * 20)  # the mean is -0.2: between the thresholds
    assert await replica.evaluator.turn() == 0
    await arrive(scene.warehouse, [0.5] * 20)
    assert await replica.evaluator.turn() == 1
    await arrive(scene.warehouse, [-1.0] * 100)
    assert await replica.evaluator.turn() == 0

    await replica.sender.publish()
    assert [(event.state, event.count) for event in events(replica.publisher)] == [("raised", 20), ("cleared", 60)]
    (row,) = await scene.rows("SELECT raised_at, raised_value, raised_count, cleared_at, cleared_value, cleared_cause FROM alert")
    assert row["raised_at"] == row["cleared_at"] == NOW
    assert row["raised_value"] == pytest.approx(-0.5)
    assert row["cleared_value"] == pytest.approx(2 / 60)
    assert row["cleared_cause"] == "data"


async def test_a_share_of_complaints_raises_an_alert(scene: Scene) -> None:
    rules = '[tenants.acme.rules.complaints]\nmetric = "complaint_share"\nraise_above = 0.3\nclear_below = 0.2\nminimum_count = 10\n'
    replica = await scene.replica(rules)
    await arrive(scene.warehouse, [None] * 5, topic="complaint")
    await arrive(scene.warehouse, [None] * 5, topic="billing")
    assert await replica.evaluator.turn() == 1
    await replica.sender.publish()
    (event,) = events(replica.publisher)
    assert (event.rule, event.metric, event.value, event.count) == ("complaints", "complaint_share", 0.5, 10)


async def test_an_evaluator_that_slept_over_its_decision_raises_nothing(scene: Scene) -> None:
    """It read before the other one raised and cleared; the cool-down holds for what it writes after."""
    await arrive(scene.warehouse, [-0.5] * 20)
    awake, sleeper = await scene.replica(), await scene.replica()
    slept = asyncio.Event()
    read = sleeper.evaluator._readings.read

    async def late(windows: Any, least: int, now: datetime) -> Any:
        readings = await read(windows, least, now)
        await slept.wait()
        return readings

    sleeper.evaluator._readings.read = late  # type: ignore[method-assign]
    asleep = asyncio.create_task(sleeper.evaluator.turn())
    await awake.evaluator.turn()
    await arrive(scene.warehouse, [1.0] * 20)
    await awake.evaluator.turn()
    slept.set()

    assert await asleep == 0
    assert [row["n"] for row in await scene.rows("SELECT count(*) AS n FROM alert")] == [1]


async def test_a_webhook_is_retried_with_the_same_key_and_a_fresh_signature_that_verifies(scene: Scene, receiver: Scripted) -> None:
    replica = await scene.replica(hooked(receiver.url))
    await arrive(scene.warehouse, [-0.5] * 20)
    await replica.evaluator.turn()
    bodies: list[bytes] = []
    answers = [503, 500, 204]

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response(status=answers[len(bodies) - 1])

    receiver.answer = answer
    while len(bodies) < len(answers):
        assert await replica.post() == 1
        scene.now += timedelta(minutes=1)
    assert await replica.post() == 0

    assert len({request.headers["Idempotency-Key"] for request in receiver.asked}) == 1
    for request, body in zip(receiver.asked, bodies, strict=True):
        stamp = request.headers["X-VoC-Timestamp"]
        proof = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(request.headers["X-VoC-Signature"], f"sha256={proof}")
        assert abs(time.time() - int(stamp)) < 300
    event = Decoder(AlertEvent)(bodies[-1])
    assert isinstance(event, AlertEvent)
    assert (event.tenant_id, event.state) == ("acme", "raised")
    (row,) = await scene.rows("SELECT attempts, last_error, sent_at IS NOT NULL AS sent FROM alert_outbox WHERE channel = 'webhook'")
    assert row == {"attempts": 3, "last_error": None, "sent": True}


async def test_a_post_that_a_killed_replica_had_begun_is_made_by_another_with_the_same_key(scene: Scene, receiver: Scripted) -> None:
    killed, other = await scene.replica(hooked(receiver.url)), await scene.replica(hooked(receiver.url))
    await arrive(scene.warehouse, [-0.5] * 20)
    await killed.evaluator.turn()
    killed.sender._outbox.sent = _never  # type: ignore[assignment,method-assign]
    await killed.post()
    assert await other.post() == 0

    scene.now += LEASE
    assert await other.post() == 1
    assert len(receiver.asked) == 2
    assert len({request.headers["Idempotency-Key"] for request in receiver.asked}) == 1


async def _never(*_: object) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("status", "private", "reason"),
    [(307, True, "it answered 307, a redirect, which is never followed; is its URL right?"), (200, False, "its address is private")],
)
async def test_redirects_and_private_addresses_are_refused_and_the_alert_stays_in_the_outbox(
    scene: Scene, receiver: Scripted, *, status: int, private: bool, reason: str
) -> None:
    receiver.says(status, Location=f"{receiver.url}/elsewhere")
    replica = await scene.replica(hooked(receiver.url), alert_webhook_allow_private=private)
    await arrive(scene.warehouse, [-0.5] * 20)
    await replica.evaluator.turn()
    assert await replica.post() == 1

    assert [request.path for request in receiver.asked] == (["/hook"] if private else [])
    (row,) = await scene.rows("SELECT attempts, last_error, sent_at, next_attempt_at FROM alert_outbox WHERE channel = 'webhook'")
    assert row["last_error"].startswith(reason)
    assert (row["attempts"], row["sent_at"], row["next_attempt_at"]) == (1, None, NOW + timedelta(seconds=5))


async def test_a_tenant_whose_receiver_fails_holds_up_nobody_else(scene: Scene, receiver: Scripted) -> None:
    """Thirty-one alerts of one tenant whose receiver is down, and one of another."""
    rules = "".join(
        f'[tenants.bad.rules.r{number}]\nmetric = "mean_sentiment"\nraise_below = -0.{number + 1:02}\nclear_above = 0.5\n' for number in range(30)
    )
    webhook = '[tenants.{0}.webhook]\nurl = "{1}/{0}"\nsecret = "env:VOC_TEST_SECRET"\n'
    replica = await scene.replica(f"{RULES}{rules}{webhook.format('bad', receiver.url)}{webhook.format('acme', receiver.url)}")

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=500 if request.path == "/bad" else 200)

    receiver.answer = answer
    for tenant in ("bad", "acme"):
        await arrive(scene.warehouse, [-0.9] * 20, tenant_id=tenant)
    assert await replica.evaluator.turn() == 32
    assert await replica.post() == 2
    assert sorted(request.path for request in receiver.asked) == ["/acme", "/bad"]
    (row,) = await scene.rows("SELECT count(*) AS n FROM alert_outbox WHERE channel = 'webhook' AND sent_at IS NOT NULL AND tenant_id = 'acme'")
    assert row == {"n": 1}
