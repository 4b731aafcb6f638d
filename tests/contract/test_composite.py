"""What every place in which quality and sentiment meet does, in memory or in PostgreSQL and ClickHouse."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta, timezone
from decimal import Decimal
from itertools import count

import msgspec
import psycopg
import pytest

from tests.calls import NOW
from tests.composites import call_event, feeling, felt, quality, sides
from tests.databases import own_warehouse
from tests.fakes.composite import FakeCompositeStore, FakeCompositeTable, FakeFeelings
from tests.voc import row_of
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.composite_store import CompositeStore
from voc_stream.clients.composite_table import CompositeTable
from voc_stream.clients.postgres import Database
from voc_stream.clients.voc_feelings import VocFeelings
from voc_stream.events.base import encode
from voc_stream.events.voc import CallEvent
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.settings import Settings
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.composite import CallSides, Feeling, Quality, Weight

KEY = ("acme", "c1")
LATER = NOW + timedelta(minutes=1)

BOTH = ("fake", pytest.param("real", marks=pytest.mark.integration))


@pytest.fixture(params=BOTH)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[CompositeStore | FakeCompositeStore]:
    if request.param == "fake":
        yield FakeCompositeStore()
        return
    settings: Settings = request.getfixturevalue("migrated")
    with psycopg.connect(settings.postgres_dsn.get_secret_value(), autocommit=True) as session:
        session.execute("TRUNCATE call_composite")
    db = Database(settings)
    yield CompositeStore(db)
    await db.close()


@dataclass(frozen=True, slots=True)
class Case:
    """A table, and what its readers see: the composite of each call."""

    table: CompositeTable | FakeCompositeTable
    shown: Callable[[], Awaitable[dict[tuple[str, str], Decimal | None]]]


@pytest.fixture(params=BOTH)
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    if request.param == "fake":
        fake = FakeCompositeTable()

        async def held() -> dict[tuple[str, str], Decimal | None]:
            return fake.composites()

        yield Case(fake, held)
        return
    async with own_warehouse(request.getfixturevalue("settings")) as settings:
        warehouse = await made_warehouse(settings)

        async def read() -> dict[tuple[str, str], Decimal | None]:
            rows = await warehouse.query("SELECT tenant_id, call_id, composite FROM call_composite FINAL")
            return {(row["tenant_id"], row["call_id"]): None if row["composite"] is None else Decimal(f"{row['composite']:.2f}") for row in rows}

        yield Case(CompositeTable(warehouse), read)
        await warehouse.close()


@dataclass(frozen=True, slots=True)
class Memory:
    """What was felt, and how an event gets there."""

    feelings: VocFeelings | FakeFeelings
    store: Callable[[CallEvent, Annotation], Awaitable[None]]


@pytest.fixture(params=BOTH)
async def memory(request: pytest.FixtureRequest) -> AsyncIterator[Memory]:
    if request.param == "fake":
        fake = FakeFeelings()
        yield Memory(fake, fake.store)
        return
    async with own_warehouse(request.getfixturevalue("settings")) as settings:
        warehouse = await made_warehouse(settings)
        offsets = count()

        async def store(event: CallEvent, annotation: Annotation) -> None:
            offset = next(offsets)
            await warehouse.insert_events(row_of(encode(event), offset, annotation), f"t:{offset}")

        yield Memory(VocFeelings(warehouse), store)
        await warehouse.close()


async def made_warehouse(settings: Settings) -> Warehouse:
    warehouse = Warehouse(settings)
    schema = ClickHouseSchema(settings, warehouse)
    await schema.create_database()
    await schema.apply()
    return warehouse


async def merged(store: CompositeStore | FakeCompositeStore, *given: CallSides) -> CallSides:
    """Merge one after the other; the last answer, of a call that has both sides."""
    answers = [await store.merge([one]) for one in given]
    (answer,) = answers[-1]
    return answer


async def test_both_sides_of_a_call_meet(store: CompositeStore | FakeCompositeStore) -> None:
    met = await merged(store, sides(quality()), sides(None, feeling(topic="billing")))
    assert (met.quality, met.feeling, met.composite, met.revision) == (quality(), feeling(topic="billing"), Decimal("78.50"), 2)


async def test_a_feeling_without_a_quality_leaves_nothing(store: CompositeStore | FakeCompositeStore) -> None:
    assert await store.merge([sides(None, feeling())]) == []
    assert await store.merge([sides(quality())]) == []


async def test_calls_that_have_a_quality_are_known_by_their_places(store: CompositeStore | FakeCompositeStore) -> None:
    await store.merge([sides(quality()), sides(quality(None), feeling(), call_id="c3"), sides(quality(), tenant_id="globex", call_id="c2")])
    asked = ["c1", "c2", "c3", "c4", "c1"]
    assert sorted(await store.scored(["acme"] * len(asked), asked)) == [0, 2, 4]


async def test_thousands_are_looked_for_at_once(store: CompositeStore | FakeCompositeStore) -> None:
    await store.merge([sides(quality(), call_id=f"c{number}") for number in (0, 4999, 5000, 7001)])
    assert sorted(await store.scored(["acme"] * 7000, [f"c{number}" for number in range(7000)])) == [0, 4999, 5000]


async def test_a_repeat_changes_nothing_and_comes_back_all_the_same(store: CompositeStore | FakeCompositeStore) -> None:
    first = await merged(store, sides(quality()), sides(None, feeling()))
    assert await merged(store, sides(quality())) == first
    assert await merged(store, sides(None, feeling(-0.9))) == first


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (quality("10.00"), quality("90.00", at=LATER)),
        (quality("10.00"), quality("90.00", model="m2")),
        (quality("10.00"), quality("90.00", model="m10")),
        (quality("10.00", model="M2"), quality("90.00", model="m1")),
        (quality("10.00"), quality(None, at=LATER)),
        (quality(None), quality("90.00", at=LATER)),
    ],
)
async def test_the_newest_score_stands_whichever_comes_first(store: CompositeStore | FakeCompositeStore, earlier: Quality, later: Quality) -> None:
    newest = max(earlier, later, key=lambda q: (q.scored_at, q.model_version))
    for name, order in (("c1", (earlier, later)), ("c2", (later, earlier))):
        stored = await merged(store, *(sides(one, feeling(), call_id=name) for one in order))
        assert stored.quality == newest


@pytest.mark.parametrize("newest", [feeling(0.2, at=LATER), feeling(0.2, number=2**127)])
async def test_the_newest_feeling_stands_whichever_comes_first(store: CompositeStore | FakeCompositeStore, newest: Feeling) -> None:
    for name, order in (("c1", (feeling(0.1), newest)), ("c2", (newest, feeling(0.1)))):
        assert (await merged(store, *(sides(quality(), felt, call_id=name) for felt in order))).feeling == newest


async def test_a_later_version_of_the_weights_stands_whichever_comes_first(store: CompositeStore | FakeCompositeStore) -> None:
    old, new = Weight(Decimal("0.700"), 1), Weight(Decimal("0.250"), 2)
    for name, order in (("c1", (old, new)), ("c2", (new, old))):
        stored = await merged(store, *(sides(quality(), feeling(), call_id=name, weight=weight) for weight in order))
        assert (stored.weight, stored.composite) == (new, Decimal("76.25"))


async def test_calls_of_two_tenants_never_meet(store: CompositeStore | FakeCompositeStore) -> None:
    assert await store.merge([sides(quality()), sides(None, feeling(), tenant_id="globex")]) == []
    assert (await merged(store, sides(None, feeling()))).key == KEY


async def test_a_call_twice_in_one_statement_is_one_row(store: CompositeStore | FakeCompositeStore) -> None:
    (stored,) = await store.merge([sides(quality()), sides(None, feeling()), sides(quality("10.00"))])
    assert (stored.composite, stored.revision) == (Decimal("78.50"), 1)


async def test_nothing_is_no_trouble(store: CompositeStore | FakeCompositeStore) -> None:
    assert await store.merge([]) == []


@pytest.mark.parametrize(("score", "sentiment", "weight"), [("87.25", -0.333333, "0.615"), ("0.01", -1.0, "0.500"), ("33.33", 0.123457, "0.333")])
async def test_the_composite_is_what_the_formula_says(store: CompositeStore | FakeCompositeStore, score: str, sentiment: float, weight: str) -> None:
    given = sides(quality(score), feeling(sentiment), weight=Weight(Decimal(weight), 1))
    assert (await merged(store, given)).composite == given.composite


async def test_many_that_feed_the_same_calls_at_once_wait_for_each_other(store: CompositeStore | FakeCompositeStore) -> None:
    names = [f"c{number}" for number in range(20)]
    await store.merge([sides(quality(), call_id=name) for name in names[::2]])
    halves = [[sides(quality(), call_id=name) for name in names], [sides(None, feeling(), call_id=name) for name in reversed(names)]]
    await asyncio.gather(*(store.merge(half) for half in halves * 3))
    stored = await store.merge(halves[1])
    assert {call.composite for call in stored} == {Decimal("78.50")}


async def test_of_a_call_the_highest_revision_shows_whatever_comes_last(case: Case) -> None:
    first = sides(quality(), feeling())
    for revision, score in ((2, "80.00"), (3, "20.00"), (2, "80.00"), (3, "20.00")):
        await case.table.insert([CallSides(*KEY, first.weight, quality(score), feeling(), revision)])
    assert await case.shown() == {KEY: Decimal("36.50")}


async def test_a_call_that_cannot_be_scored_any_more_shows_none(case: Case) -> None:
    await case.table.insert([CallSides(*KEY, sides().weight, quality(), feeling(), 2)])
    await case.table.insert([CallSides(*KEY, sides().weight, quality(None), feeling(), 3)])
    assert await case.shown() == {KEY: None}


async def test_calls_with_one_side_do_not_show(case: Case) -> None:
    await case.table.insert([sides(quality()), sides(None, feeling(), call_id="c2")])
    await case.table.insert([])
    assert await case.shown() == {}


DAY = (NOW - timedelta(days=1), NOW + timedelta(days=1))


async def test_the_newest_feeling_of_each_call_is_found_however_they_were_stored(memory: Memory) -> None:
    for minute, number, sentiment in ((1, 1, 0.1), (3, 2, 0.3), (3, 2**127, 0.333333), (2, 3, 0.2)):
        await memory.store(call_event(minute=minute, number=number), felt(sentiment))
    await memory.store(call_event(call_id="c2", number=7), felt(-1.0, "remote", topic="complaint"))
    assert await memory.feelings.newest([KEY, ("acme", "c2"), ("acme", "c3"), KEY], *DAY) == {
        KEY: Feeling(0.333333, "rule", NOW + timedelta(minutes=3), uuid.UUID(int=2**127)),
        ("acme", "c2"): Feeling(-1.0, "remote", NOW, uuid.UUID(int=7), "complaint"),
    }


async def test_events_without_a_sentiment_or_from_another_time_tell_no_feeling(memory: Memory) -> None:
    await memory.store(call_event(), felt(None))
    await memory.store(call_event(minute=24 * 60 + 1), felt(0.5))
    await memory.store(call_event(minute=-24 * 60 - 1), felt(0.5))
    assert await memory.feelings.newest([KEY], *DAY) == {}


async def test_what_another_tenants_customer_felt_in_a_call_of_that_name_is_not_found(memory: Memory) -> None:
    await memory.store(call_event(call_id="c2"), felt(0.5))
    await memory.store(call_event(tenant_id="globex", number=2), felt(0.5))
    assert set(await memory.feelings.newest([KEY, ("globex", "c2")], *DAY)) == set()


async def test_times_of_other_zones_and_of_microseconds_are_the_same_moments(memory: Memory) -> None:
    moment = NOW.replace(microsecond=123_999)
    event = msgspec.structs.replace(call_event(), timestamp=moment.astimezone(timezone(timedelta(hours=-7))))
    await memory.store(event, felt(0.1 + 0.2))
    away = timezone(timedelta(hours=9))
    found = await memory.feelings.newest([KEY], (moment - timedelta(seconds=2)).astimezone(away), (moment + timedelta(seconds=2)).astimezone(away))
    assert found == {KEY: Feeling.as_stored(0.3, "rule", moment, uuid.UUID(int=1))}


async def test_a_thousand_calls_are_looked_for_at_once(memory: Memory) -> None:
    await memory.store(call_event(call_id="c1200"), felt(0.5))
    assert set(await memory.feelings.newest([("acme", f"c{number}") for number in range(1201)], *DAY)) == {("acme", "c1200")}
