"""`faust -A voc_stream migrate` on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import psycopg
import pytest

from tests.databases import own_schema, own_warehouse
from voc_stream import migrate
from voc_stream.schema import clickhouse, postgres
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.settings import Settings

FOLDERS: dict[Literal["postgres", "clickhouse"], Path] = {"postgres": postgres.FOLDER, "clickhouse": clickhouse.FOLDER}


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Settings]:
    with own_schema(settings) as with_schema:
        async with own_warehouse(with_schema) as own:
            yield own


async def test_the_first_run_applies_and_the_second_verifies(own: Settings) -> None:
    first: list[str] = []
    second: list[str] = []
    assert await migrate.run(own, first.append) == 0
    assert await migrate.run(own, second.append) == 0
    assert "postgres: applied 202611220630_calls" in first
    assert "clickhouse: applied 0001_call_scores" in first
    assert second == ["postgres: up to date", "clickhouse: up to date"]


async def test_a_difference_is_reported_and_nothing_is_applied_to_that_database(own: Settings) -> None:
    with psycopg.connect(own.postgres_dsn.get_secret_value(), autocommit=True) as hand:
        hand.execute("CREATE TABLE call (id int)")
    said: list[str] = []
    assert await migrate.run(own, said.append) == 1
    assert "postgres: not from a migration: column call.id integer" in said
    assert "clickhouse: up to date" in said
    assert "202611220630_calls" in PostgresSchema(own).pending()


async def test_one_migration_is_rolled_back_and_applied_again(own: Settings) -> None:
    said: list[str] = []
    await migrate.run(own, said.append)
    newest = {database: max(path.stem for path in folder.glob("*.sql") if ".rollback" not in path.name) for database, folder in FOLDERS.items()}
    for database in FOLDERS:
        assert await migrate.run(own, said.append, roll_back=database) == 0
    assert said[-2:] == [f"{database}: rolled back {name}" for database, name in newest.items()]
    again: list[str] = []
    assert await migrate.run(own, again.append) == 0
    assert [line for line in again if "applied" in line] == [f"{database}: applied {name}" for database, name in newest.items()]


async def test_a_second_migration_waits_no_longer_than_it_is_told(own: Settings) -> None:
    said: list[str] = []
    with PostgresSchema(own).locked(5):
        assert await migrate.run(own, said.append, lock_timeout=0.2) == 2
    assert "another migration" in said[-1]


async def test_a_server_that_is_down_is_one_line(own: Settings) -> None:
    said: list[str] = []
    assert await migrate.run(own.model_copy(update={"clickhouse_port": 1}), said.append) == 2
    assert said == ["clickhouse: cannot be reached (OperationalError)"]
