"""What every place in which quality and sentiment meet does, in memory or in PostgreSQL and ClickHouse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from tests.calls import NOW
from tests.composites import feeling, quality, sides
from tests.databases import own_warehouse
from tests.fakes.composite import FakeCompositeStore, FakeCompositeTable
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.composite_store import CompositeStore
from voc_stream.clients.composite_table import CompositeTable
from voc_stream.clients.postgres import Database
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.settings import Settings
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
        warehouse = Warehouse(settings)
        schema = ClickHouseSchema(settings, warehouse)
        await schema.create_database()
        await schema.apply()

        async def read() -> dict[tuple[str, str], Decimal | None]:
            rows = await warehouse.query("SELECT tenant_id, call_id, composite FROM call_composite FINAL")
            return {(row["tenant_id"], row["call_id"]): None if row["composite"] is None else Decimal(f"{row['composite']:.2f}") for row in rows}

        yield Case(CompositeTable(warehouse), read)
        await warehouse.close()


async def merged(store: CompositeStore | FakeCompositeStore, *given: CallSides) -> CallSides:
    """Merge one after the other; the last answer, of a call that has both sides."""
    answers = [await store.merge([one]) for one in given]
    (answer,) = answers[-1]
    return answer


@pytest.mark.parametrize("turned", [False, True])
async def test_both_sides_meet_in_either_order(store: CompositeStore | FakeCompositeStore, turned: bool) -> None:  # noqa: FBT001 - a parameter
    given = [sides(quality()), sides(None, feeling())]
    met = await merged(store, *(reversed(given) if turned else given))
    assert (met.quality, met.feeling, met.composite, met.revision) == (quality(), feeling(), Decimal("78.50"), 2)


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


async def test_what_never_met_a_score_is_forgotten_after_a_while_and_nothing_else(store: CompositeStore | FakeCompositeStore) -> None:
    await store.merge([sides(None, feeling()), sides(quality(), call_id="c2"), sides(quality(), feeling(), call_id="c3")])
    assert await store.forget_unmet(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await store.forget_unmet(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert await store.merge([sides(quality())]) == []
    assert len(await store.merge([sides(quality(), call_id="c3")])) == 1


async def test_many_that_feed_the_same_calls_at_once_wait_for_each_other(store: CompositeStore | FakeCompositeStore) -> None:
    names = [f"c{number}" for number in range(20)]
    halves = [[sides(quality(), call_id=name) for name in names], [sides(None, feeling(), call_id=name) for name in reversed(names)]]
    await asyncio.gather(*(store.merge(half) for half in halves * 3))
    stored = await store.merge([sides(quality(), call_id=name) for name in names])
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
