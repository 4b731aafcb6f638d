"""What every store of alerts and its outbox do, in memory or in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec
import pytest

from tests.alerts import NOON, cleared, raised
from tests.databases import empty_tables
from tests.fakes.alerts import FakeAlerts
from voc_stream.clients.alert_outbox import KEEP, LEASE, AlertOutbox
from voc_stream.clients.alert_store import AlertStore
from voc_stream.clients.postgres import Database
from voc_stream.events.alerts import AlertEvent
from voc_stream.events.base import Decoder, encode
from voc_stream.stages.outbox import Channel, Entry

BOTH: tuple[Channel, ...] = ("topic", "webhook")
COOL_DOWN = timedelta(minutes=30)
AGO = NOON - timedelta(days=1)

AnyStore: TypeAlias = AlertStore | FakeAlerts
AnyOutbox: TypeAlias = AlertOutbox | FakeAlerts


@dataclass(frozen=True, slots=True)
class Case:
    """A store and its outbox."""

    store: AnyStore
    outbox: AnyOutbox
    clock: Callable[[], Awaitable[datetime]]

    async def write(self, event: AlertEvent, *channels: Channel) -> bool:
        return await self.store.write(event, channels or BOTH, asked_at=await self.clock(), cool_down=COOL_DOWN)

    async def take(self, channel: Channel = "webhook", now: datetime = NOON, limit: int = 10, busy: tuple[str, ...] = ()) -> list[Entry]:
        return await self.outbox.take(channel, limit, now, busy)


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.integration)])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    if request.param == "fake":
        fake = FakeAlerts(NOON)

        async def noon() -> datetime:
            return fake.now

        yield Case(fake, fake, noon)
        return
    settings = request.getfixturevalue("migrated")
    empty_tables(settings)
    db = Database(settings)
    store = AlertStore(db)

    async def server_time() -> datetime:
        return (await store.look(NOON))[0]

    yield Case(store, AlertOutbox(db), server_time)
    await db.close()


async def test_an_alert_is_raised_once_though_two_decide_it(case: Case) -> None:
    assert await case.write(raised())
    assert not await case.write(raised(at=NOON + timedelta(seconds=1)))

    (episode,) = (await case.store.look(AGO))[1]
    assert (episode.alert_id, episode.raised_at, episode.cleared_at) == (raised().alert_id, NOON, None)
    assert await case.store.open_episodes() == 1
    assert len(await case.take("topic")) == 1


async def test_rules_and_tenants_have_episodes_of_their_own(case: Case) -> None:
    assert [await case.write(event) for event in (raised(), raised(rule="complaints"), raised("other"))] == [True] * 3
    assert await case.store.open_episodes() == 3


async def test_an_alert_is_cleared_once(case: Case) -> None:
    await case.write(raised())
    assert await case.write(cleared(raised()))
    assert not await case.write(cleared(raised(), timedelta(minutes=11)))

    (episode,) = (await case.store.look(AGO))[1]
    assert episode.cleared_at == NOON + timedelta(minutes=10)
    assert await case.store.open_episodes() == 0


async def test_what_was_never_raised_is_not_cleared(case: Case) -> None:
    assert not await case.write(cleared(raised()))


async def test_the_store_keeps_the_cool_down_though_whoever_decided_did_not_know(case: Case) -> None:
    await case.write(raised())
    await case.write(cleared(raised()))
    assert not await case.write(raised(at=NOON + timedelta(minutes=39)))
    assert await case.write(raised(at=NOON + timedelta(minutes=40)))


async def test_a_decision_that_somebody_slept_over_is_void(case: Case) -> None:
    long_ago = await case.clock() - timedelta(minutes=5)
    assert not await case.store.write(raised(), BOTH, asked_at=long_ago)
    assert await case.store.open_episodes() == 0


async def test_only_the_newest_episode_of_a_rule_is_told_and_old_ones_are_forgotten(case: Case) -> None:
    second = raised(at=NOON + timedelta(hours=1))
    for event in (raised(), cleared(raised()), second):
        await case.write(event)
    assert [episode.alert_id for episode in (await case.store.look(AGO))[1]] == [second.alert_id]

    await case.write(cleared(second))
    assert (await case.store.look(NOON + timedelta(hours=2)))[1] == []


async def test_an_entry_is_the_event_as_it_was_decided_with_a_key_for_each_channel(case: Case) -> None:
    await case.write(raised())
    (topic,), (webhook,) = await case.take("topic"), await case.take("webhook")

    assert Decoder(AlertEvent)(topic.body) == raised()
    assert topic.body == webhook.body == encode(raised())
    assert (topic.tenant_id, topic.state, topic.attempt) == ("acme", "raised", 1)
    assert topic.key != webhook.key


async def test_a_tenant_without_a_webhook_has_no_entry_for_one(case: Case) -> None:
    await case.write(raised(), "topic")
    assert await case.take("webhook") == []


async def test_an_entry_that_was_taken_is_nobody_else_s_until_the_lease_is_over(case: Case) -> None:
    await case.write(raised())
    (first,) = await case.take()
    assert await case.take(now=NOON + LEASE - timedelta(seconds=1)) == []

    (again,) = await case.take(now=NOON + LEASE)
    assert (again.key, again.body, again.attempt) == (first.key, first.body, 2)


async def test_what_was_sent_is_not_taken_again(case: Case) -> None:
    await case.write(raised())
    (entry,) = await case.take()
    await case.outbox.sent([entry.key], NOON)
    assert await case.take(now=NOON + timedelta(days=1)) == []


async def test_what_failed_is_taken_when_it_is_due_with_the_same_key(case: Case) -> None:
    await case.write(raised())
    (first,) = await case.take()
    await case.outbox.failed([first.key], NOON + timedelta(hours=1), "it answered 500")

    assert await case.take(now=NOON + timedelta(minutes=59)) == []
    (again,) = await case.take(now=NOON + timedelta(hours=1))
    assert again.key == first.key


async def test_a_late_failure_does_not_undo_what_another_replica_sent(case: Case) -> None:
    await case.write(raised())
    (entry,) = await case.take()
    await case.outbox.sent([entry.key], NOON)
    await case.outbox.failed([entry.key], NOON, "no answer")
    assert await case.take(now=NOON + timedelta(days=1)) == []


async def test_an_episode_s_end_waits_for_its_beginning(case: Case) -> None:
    for event in (raised(), cleared(raised())):
        await case.write(event)
    later = NOON + timedelta(hours=1)
    (begin,) = await case.take(now=later)
    assert begin.state == "raised"
    assert await case.take(now=later) == []

    await case.outbox.sent([begin.key], later)
    assert [entry.state for entry in await case.take(now=later)] == ["cleared"]


async def test_another_episode_of_the_tenant_does_not_wait_for_one_that_fails(case: Case) -> None:
    await case.write(raised())
    await case.write(raised(rule="complaints"))
    (first,) = await case.take()
    await case.outbox.failed([first.key], NOON + timedelta(hours=1), "it answered 500")
    (second,) = await case.take()
    assert msgspec.json.decode(second.body)["rule"] == "complaints"


async def test_one_entry_of_each_tenant_at_a_time_and_none_of_a_busy_one(case: Case) -> None:
    for tenant in ("acme", "other", "third"):
        await case.write(raised(tenant))
        await case.write(raised(tenant, rule="complaints"))
    assert sorted(entry.tenant_id for entry in await case.take(busy=("third",))) == ["acme", "other"]


async def test_no_more_than_the_limit_are_taken(case: Case) -> None:
    for tenant in ("acme", "other", "third"):
        await case.write(raised(tenant))
    assert len(await case.take(limit=2)) == 2
    assert len(await case.take(limit=2)) == 1


async def test_an_entry_without_a_receiver_is_removed_and_its_episode_s_end_may_follow(case: Case) -> None:
    for event in (raised(), cleared(raised())):
        await case.write(event)
    (begin,) = await case.take()
    await case.outbox.remove(begin.key)
    (end,) = await case.take(now=NOON + timedelta(hours=1))
    assert end.state == "cleared"


async def test_the_oldest_unsent_entry_of_each_channel_is_known(case: Case) -> None:
    assert await case.outbox.oldest() == {}
    before = await case.clock()
    await case.write(raised())
    assert {channel: at >= before for channel, at in (await case.outbox.oldest()).items()} == {"topic": True, "webhook": True}

    (entry,) = await case.take("topic")
    await case.outbox.sent([entry.key], NOON)
    assert set(await case.outbox.oldest()) == {"webhook"}


async def test_what_was_sent_long_ago_is_forgotten_and_what_was_not_sent_never(case: Case) -> None:
    await case.write(raised())
    (entry,) = await case.take("topic")
    await case.outbox.sent([entry.key], NOON)
    await case.outbox.forget(NOON + KEEP + timedelta(seconds=1))

    assert set(await case.outbox.oldest()) == {"webhook"}
    assert await case.take("topic", now=NOON + timedelta(days=90)) == []
    assert len(await case.take("webhook", now=NOON + timedelta(days=90))) == 1
