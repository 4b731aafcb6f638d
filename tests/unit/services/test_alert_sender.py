"""The sender: acknowledged before it counts, again with the same key, and nobody waits for another's receiver."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.alerts import NOON, cleared, hook, raised, with_webhooks
from tests.fakes.alerts import FakeAlerts
from tests.fakes.webhook import FakeWebhooks
from tests.unit.services.made import FakePublisher
from voc_stream.clients.alert_outbox import LEASE
from voc_stream.clients.webhook import ForbiddenAddressError
from voc_stream.errors import OutageError, TransientError
from voc_stream.events.base import encode
from voc_stream.runtime import metrics
from voc_stream.services.alert_sender import POSTS, AlertSender
from voc_stream.services.reloaded import ReloadedFile
from voc_stream.stages.alert_rules import AlertRules
from voc_stream.stages.outbox import Channel


class Scene:
    def __init__(self, *tenants: str) -> None:
        self.now, self.rules = NOON, with_webhooks(*(tenants or ("acme",)))
        self.store, self.publisher, self.webhooks = FakeAlerts(NOON), FakePublisher(), FakeWebhooks()
        self.sender = self.another()

    def another(self) -> AlertSender:
        return AlertSender(
            outbox=self.store,
            publisher=self.publisher,
            webhooks=self.webhooks,
            file=ReloadedFile("ALERTS_FILE", None, AlertRules, ValueError, self.rules),  # type: ignore[arg-type] # there is no file to parse
            topic="voc.alerts",
            now=lambda: self.now,
            chance=lambda: 0.0,
        )

    async def alert(self, tenant_id: str = "acme", *channels: Channel) -> None:
        await self.store.write(raised(tenant_id), channels or ("webhook",), asked_at=NOON)

    async def post(self) -> int:
        begun = await self.sender.post()
        await self.sender.settled()
        return begun


async def test_alerts_are_published_by_tenant_and_the_beginning_before_the_end() -> None:
    scene = Scene()
    await scene.alert("acme", "topic")
    await scene.store.write(cleared(raised()), ["topic"], asked_at=NOON)
    scene.now += timedelta(hours=1)

    assert await scene.sender.publish() == 2
    assert [(record.topic, record.key) for record in scene.publisher.published] == [("voc.alerts", b"acme")] * 2
    assert [record.value for record in scene.publisher.published] == [encode(raised()), encode(cleared(raised()))]
    assert await scene.sender.publish() == 0


async def test_what_kafka_does_not_acknowledge_is_published_again() -> None:
    scene = Scene()
    await scene.alert("acme", "topic")
    scene.publisher.faults.append(OutageError("kafka", "no broker"))
    with pytest.raises(OutageError):
        await scene.sender.publish()
    assert scene.store.rows[0].last_error == "no broker"

    scene.now += timedelta(seconds=5)
    assert await scene.sender.publish() == 1


async def test_what_a_replica_had_in_hand_when_it_was_killed_another_one_publishes() -> None:
    scene = Scene()
    await scene.alert("acme", "topic")
    await scene.store.take("topic", 10, NOON)

    assert await scene.another().publish() == 0
    scene.now += LEASE
    assert await scene.another().publish() == 1


async def test_a_webhook_is_posted_once_it_was_acknowledged() -> None:
    scene = Scene()
    await scene.alert()
    assert [await scene.post(), await scene.post()] == [1, 0]
    assert [(url, body) for url, _, body in scene.webhooks.posts] == [(hook("acme").url, encode(raised()))]


async def test_a_webhook_that_fails_is_tried_again_with_the_same_key_ever_more_slowly() -> None:
    scene = Scene()
    await scene.alert()
    scene.webhooks.statuses[hook("acme").url].extend([500, 404, 302])
    pauses = []
    while scene.store.rows[0].sent_at is None:
        assert await scene.post() == 1
        pauses.append((scene.store.rows[0].next_attempt_at - scene.now).total_seconds())
        scene.now = scene.store.rows[0].next_attempt_at

    assert pauses[:3] == [5.0, 10.0, 20.0]
    assert len({key for _, key, _ in scene.webhooks.posts}) == 1


async def test_an_address_that_is_refused_is_counted_apart_from_receivers_that_fail() -> None:
    def counted() -> list[float]:
        return [metrics.REGISTRY.get_sample_value("voc_alert_posts_total", {"result": result}) or 0 for result in ("refused", "failed")]

    async def inward(*_: object) -> None:
        raise ForbiddenAddressError

    scene = Scene()
    await scene.alert()
    before = counted()
    scene.webhooks.post = inward  # type: ignore[assignment,method-assign]
    assert await scene.post() == 1
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 0]
    assert scene.store.rows[0].sent_at is None


async def test_a_pause_that_the_receiver_asks_for_is_kept() -> None:
    scene = Scene()
    await scene.alert()

    async def busy(*_: object) -> None:
        raise TransientError("webhook", "it answered 503", retry_after=600.0)

    scene.webhooks.post = busy  # type: ignore[assignment,method-assign]
    await scene.post()
    assert scene.store.rows[0].next_attempt_at == NOON + timedelta(minutes=10)
    assert scene.store.rows[0].last_error == "it answered 503"


async def test_a_receiver_that_does_not_answer_holds_up_nobody_else_and_is_not_asked_twice_at_once() -> None:
    scene = Scene("slow", "quick")
    await scene.alert("slow")
    await scene.store.write(raised("slow", rule="complaints"), ["webhook"], asked_at=NOON)
    scene.webhooks.stalled[hook("slow").url] = asyncio.Event()
    assert await scene.sender.post() == 1

    await scene.alert("quick")
    assert await scene.sender.post() == 1
    while not any(row.sent_at for row in scene.store.rows):
        await asyncio.sleep(0)
    assert [url for url, _, _ in scene.webhooks.posts] == [hook("slow").url, hook("quick").url]
    await scene.sender.close()


async def test_no_more_posts_are_under_way_than_the_bound() -> None:
    tenants = [f"t{number}" for number in range(POSTS + 5)]
    scene = Scene(*tenants)
    for tenant in tenants:
        await scene.alert(tenant)
        scene.webhooks.stalled[hook(tenant).url] = asyncio.Event()
    assert [await scene.sender.post(), await scene.sender.post()] == [POSTS, 0]

    for event in scene.webhooks.stalled.values():
        event.set()
    await scene.sender.settled()
    assert await scene.post() == 5


async def test_a_tenant_that_has_no_webhook_any_more_is_not_posted_to() -> None:
    scene = Scene()
    await scene.alert("former")
    assert await scene.post() == 1
    assert scene.webhooks.posts == []
    assert scene.store.rows == []


async def test_an_outage_at_the_end_of_a_post_is_told_by_the_next_turn_and_the_post_is_made_again() -> None:
    scene = Scene()
    await scene.alert()
    scene.store.fail_next("sent", OutageError("postgres", "down"))
    await scene.post()
    with pytest.raises(OutageError):
        await scene.sender.post()

    scene.now += LEASE
    assert await scene.post() == 1
    assert len({key for _, key, _ in scene.webhooks.posts}) == 1


async def test_a_post_that_is_given_up_at_the_stop_is_another_replica_s_after_the_lease() -> None:
    scene = Scene()
    await scene.alert()
    scene.webhooks.stalled[hook("acme").url] = asyncio.Event()
    await scene.sender.post()
    await scene.sender.close()
    del scene.webhooks.stalled[hook("acme").url]

    scene.now += LEASE
    other = scene.another()
    assert await other.post() == 1
    await other.settled()
    assert scene.store.rows[0].sent_at is not None


async def test_the_age_of_the_oldest_alert_that_was_not_told_is_a_metric() -> None:
    scene = Scene()
    await scene.alert("acme", "topic", "webhook")
    await scene.post()
    scene.now += timedelta(minutes=2)
    await scene.sender.measure()
    age = metrics.REGISTRY.get_sample_value
    assert age("voc_alert_outbox_oldest_seconds", {"channel": "topic"}) == 120
    assert age("voc_alert_outbox_oldest_seconds", {"channel": "webhook"}) == 0
