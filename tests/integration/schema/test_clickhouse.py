"""Migrations of ClickHouse: there and back, one that broke off, hands that altered something; what readers see."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.calls import NOW, enriched_call, scoring_result
from tests.databases import own_warehouse
from voc_stream.clients.clickhouse import CALL_SCORES, Warehouse
from voc_stream.errors import OutageError, OutsideError
from voc_stream.schema.clickhouse import FOLDER, ClickHouseSchema
from voc_stream.settings import Settings


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Settings]:
    async with own_warehouse(settings) as own:
        yield own


@pytest.fixture
async def warehouse(own: Settings) -> AsyncIterator[Warehouse]:
    client = Warehouse(own)
    yield client
    await client.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "clickhouse"))


@pytest.fixture
async def schema(own: Settings, warehouse: Warehouse, folder: Path) -> ClickHouseSchema:
    schema = ClickHouseSchema(own, warehouse, folder)
    await schema.create_database()
    return schema


async def test_apply_then_roll_all_back_then_apply_gives_the_same_schema(schema: ClickHouseSchema) -> None:
    applied = await schema.apply()
    first = await schema.snapshot()
    rolled_back = [await schema.roll_back_one() for _ in applied]
    assert await schema.snapshot() == []
    assert await schema.roll_back_one() is None
    assert await schema.problems() == []
    assert await schema.apply() == applied == rolled_back[::-1]
    assert await schema.snapshot() == first
    assert await schema.apply() == []
    assert await schema.problems() == []


async def test_what_a_person_altered_has_a_name(schema: ClickHouseSchema, warehouse: Warehouse) -> None:
    await schema.apply()
    await warehouse.command("ALTER TABLE call_scores ADD COLUMN note String")
    assert "not from a migration: column call_scores.note String" in await schema.problems()


async def test_an_unknown_and_an_altered_migration_are_named(schema: ClickHouseSchema, folder: Path) -> None:
    extra = folder / "9999_extra.sql"
    extra.write_text("CREATE VIEW extra AS SELECT 1 AS one;\n")
    await schema.apply()
    extra.unlink()
    altered = folder / "0001_call_scores.sql"
    altered.write_text(altered.read_text() + "-- altered\n")
    assert await schema.problems() == [
        "unknown migration 9999_extra: applied, but not in clickhouse/",
        "migration 0001_call_scores was altered after it was applied",
    ]


async def test_a_migration_that_broke_off_is_named_until_it_is_rolled_back(schema: ClickHouseSchema, folder: Path) -> None:
    await schema.apply()
    bad = folder / "9999_bad.sql"
    bad.write_text("CREATE VIEW half AS SELECT 1 AS one;\nCREATE VIEW half AS SELECT 2 AS two;\n")
    (folder / "9999_bad.rollback.sql").write_text("DROP VIEW IF EXISTS half;\n")
    with pytest.raises(OutsideError):
        await schema.apply()
    assert await schema.problems() == ["migration 9999_bad began and did not end: finish or undo it by hand, then roll it back"]
    assert await schema.roll_back_one() == "9999_bad"
    bad.unlink()
    assert await schema.problems() == []


async def test_the_driver_is_told_the_types_that_the_table_has(schema: ClickHouseSchema, warehouse: Warehouse) -> None:
    await schema.apply()
    assert {row["name"]: row["type"] for row in await warehouse.query("DESCRIBE TABLE call_scores")} == CALL_SCORES


async def test_the_current_score_of_a_call_is_its_newest(schema: ClickHouseSchema, warehouse: Warehouse) -> None:
    await schema.apply()
    newer = scoring_result(score=40.0, model_version="rubric-0+none", scored_at=NOW + timedelta(days=1))
    await warehouse.insert_scores([newer, scoring_result(), scoring_result(enriched_call("c2"), outcome="NOT_SCORABLE")], "t")
    rows = await warehouse.query("SELECT call_id, outcome, score FROM call_scores_current ORDER BY call_id")
    assert [tuple(row.values()) for row in rows] == [("700000000000001", "SCORED", 40.0), ("c2", "NOT_SCORABLE", None)]


async def test_a_row_holds_what_the_event_says(schema: ClickHouseSchema, warehouse: Warehouse) -> None:
    await schema.apply()
    await warehouse.insert_scores([scoring_result(enriched_call(switch_call_id="sw-1"))], "t")
    (row,) = await warehouse.query("SELECT * FROM call_scores")
    breakdown = row.pop("breakdown")
    times = {name: row.pop(name).replace(tzinfo=NOW.tzinfo) for name in ("started_at", "ended_at", "scored_at")}
    assert '"quote":"good morning"' in breakdown
    assert times["scored_at"] == NOW
    assert row == {
        "call_id": "700000000000001",
        "model_version": "rubric-1+none",
        "tenant_id": "acme",
        "agent_id": "agent1234",
        "skill": "billing",
        "service": "acme-support",
        "switch_call_id": "sw-1",
        "duration": 90.25,
        "outcome": "SCORED",
        "reason": "",
        "score": 87.25,
        "asr_model": "none",
        "latency_ms": 420,
        "version": int(NOW.timestamp()) * 1_000_000,
    }


async def test_a_table_that_is_missing_is_an_outage_that_names_the_command(schema: ClickHouseSchema, warehouse: Warehouse) -> None:
    with pytest.raises(OutageError, match="faust -A voc_stream migrate"):
        await warehouse.insert_scores([scoring_result()], "t")
    with pytest.raises(OutageError, match="faust -A voc_stream migrate"):
        await warehouse.probe()
    await schema.apply()
    await warehouse.probe()


async def test_nobody_at_the_address_is_an_outage_until_somebody_is(own: Settings) -> None:
    away = Warehouse(own.model_copy(update={"clickhouse_port": 1}))
    for _attempt in range(2):
        with pytest.raises(OutageError, match="cannot be reached"):
            await away.probe()
    await away.close()


async def test_a_wrong_password_is_an_outage_that_does_not_show_it(own: Settings) -> None:
    wrong = Warehouse(Settings.model_validate({**own.model_dump(), "clickhouse_password": "not-the-password"}))
    with pytest.raises(OutageError) as caught:
        await wrong.probe()
    assert "not-the-password" not in str(caught.value)
    await wrong.close()
