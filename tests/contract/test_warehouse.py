"""What every warehouse does, in memory or in ClickHouse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.calls import NOW, enriched_call, scoring_result
from tests.databases import own_warehouse
from tests.fakes.warehouse import FakeWarehouse
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.schema.clickhouse import ClickHouseSchema

Shown = dict[tuple[str, str], float | None]


@dataclass(frozen=True, slots=True)
class Case:
    """A warehouse, and what a reader of `call_scores` sees: (call_id, model_version) → score."""

    warehouse: Warehouse | FakeWarehouse
    shown: Callable[[], Awaitable[Shown]]


@pytest.fixture(params=("fake", pytest.param("clickhouse", marks=pytest.mark.integration)))
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    if request.param == "fake":
        fake = FakeWarehouse()

        async def held() -> Shown:
            return {key: result.score for key, result in fake.scores.items()}

        yield Case(fake, held)
        return
    async with own_warehouse(request.getfixturevalue("settings")) as settings:
        warehouse = Warehouse(settings)
        schema = ClickHouseSchema(settings, warehouse)
        await schema.create_database()
        await schema.apply()

        async def read() -> Shown:
            rows = await warehouse.query("SELECT call_id, model_version, score FROM call_scores FINAL")
            return {(row["call_id"], row["model_version"]): row["score"] for row in rows}

        yield Case(warehouse, read)
        await warehouse.close()


async def test_a_result_that_comes_twice_shows_once(case: Case) -> None:
    for token in ("scoring.results:0:1-1", "scoring.results:0:1-1", "scoring.results:0:9-9"):
        await case.warehouse.insert_scores([scoring_result()], token)
    assert await case.shown() == {("700000000000001", "rubric-1+none"): 87.25}


async def test_results_of_several_calls_and_models_stand_beside_each_other(case: Case) -> None:
    other = enriched_call("c2")
    silent = scoring_result(other, outcome="NOT_SCORABLE")
    again = scoring_result(score=12.5, model_version="rubric-2+none")
    await case.warehouse.insert_scores([scoring_result(), silent, again], "t")
    assert await case.shown() == {
        ("700000000000001", "rubric-1+none"): 87.25,
        ("700000000000001", "rubric-2+none"): 12.5,
        ("c2", "rubric-1+none"): None,
    }


async def test_of_one_call_and_model_the_newest_result_shows_whatever_comes_last(case: Case) -> None:
    newest = scoring_result(score=60.0, scored_at=NOW + timedelta(seconds=1))
    await case.warehouse.insert_scores([newest], "t1")
    await case.warehouse.insert_scores([scoring_result()], "t2")
    assert await case.shown() == {("700000000000001", "rubric-1+none"): 60.0}


async def test_no_results_are_no_trouble(case: Case) -> None:
    await case.warehouse.insert_scores([], "t")
    assert await case.shown() == {}
