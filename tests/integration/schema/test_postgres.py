"""Migrations of PostgreSQL: there and back, two at once, a holder that died, hands that altered something."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.databases import own_schema
from voc_stream.errors import OutageError
from voc_stream.schema.postgres import FOLDER, LockedError, PostgresSchema
from voc_stream.settings import Settings, load_settings


@pytest.fixture
def schema_settings(settings: Settings) -> Iterator[Settings]:
    with own_schema(settings) as own:
        yield own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations that a test may alter."""
    return Path(shutil.copytree(FOLDER, tmp_path / "postgres"))


def session(settings: Settings, application: str) -> psycopg.Connection:
    dsn = settings.postgres_dsn.get_secret_value()
    return psycopg.connect(dsn, autocommit=True, connect_timeout=10, application_name=application)


def migrate(settings: Settings, folder: Path = FOLDER) -> list[str]:
    schema = PostgresSchema(settings, folder)
    with schema.locked(30):
        return schema.apply()


def problems(settings: Settings, folder: Path = FOLDER) -> list[str]:
    schema = PostgresSchema(settings, folder)
    with schema.locked(30):
        return schema.problems()


def test_apply_then_roll_all_back_then_apply_gives_the_same_schema(schema_settings: Settings) -> None:
    schema = PostgresSchema(schema_settings)
    with schema.locked(30):
        applied = schema.apply()
        first = schema.snapshot()
        rolled_back = [name for _ in applied if (name := schema.roll_back_one())]
        assert schema.snapshot() == []
        assert schema.roll_back_one() is None
        assert schema.apply() == applied == rolled_back[::-1]
        assert schema.snapshot() == first
        assert schema.apply() == []
        assert schema.problems() == []


def test_two_appliers_at_once_apply_each_migration_once(schema_settings: Settings) -> None:
    with ThreadPoolExecutor(3) as pool:
        applied = sorted(pool.map(migrate, [schema_settings] * 3), key=len)
    assert applied[0] == applied[1] == []
    assert len(applied[2]) == len([path for path in FOLDER.glob("*.sql") if not path.name.endswith(".rollback.sql")])
    assert problems(schema_settings) == []


def test_an_applier_that_waits_too_long_says_for_whom(schema_settings: Settings) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with PostgresSchema(schema_settings).locked(30):
            held.set()
            done.wait(30)

    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(hold)
        held.wait(30)
        schema = PostgresSchema(schema_settings)
        with pytest.raises(LockedError, match="under way for more than"), schema.locked(0.2):
            pass
        done.set()
        holder.result(30)
    assert migrate(schema_settings)


def test_the_lock_row_of_a_killed_holder_is_removed(schema_settings: Settings) -> None:
    migrate(schema_settings)
    with session(schema_settings, "voc-stream-test") as killed:
        killed.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now() AT TIME ZONE 'UTC', %s)", (os.getpid(),))
    assert problems(schema_settings) == []
    PostgresSchema(schema_settings).roll_back_one()
    assert len(migrate(schema_settings)) == 1


def test_the_lock_row_of_a_holder_that_may_be_alive_stays(schema_settings: Settings) -> None:
    migrate(schema_settings)
    with session(schema_settings, "yoyo by hand") as alive:
        alive.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now() AT TIME ZONE 'UTC', 4711)")
        schema = PostgresSchema(schema_settings)
        with pytest.raises(LockedError, match=r"process 4711 .* may be alive: session \d+ 'yoyo by hand'"), schema.locked(5):
            pass
    migrate(schema_settings)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("ALTER TABLE call ADD COLUMN note text", "not from a migration: column call.note text"),
        ("DROP INDEX call_status", "missing: index CREATE INDEX call_status"),
        ("ALTER TABLE call DROP CONSTRAINT call_status_known", "missing: constraint call_status_known on call"),
        ("DROP TRIGGER call_touch ON call", "missing: trigger CREATE TRIGGER call_touch"),
        ("DROP VIEW conversation", "missing: view conversation"),
    ],
)
def test_what_a_person_altered_has_a_name(schema_settings: Settings, statement: str, problem: str) -> None:
    migrate(schema_settings)
    with session(schema_settings, "voc-stream-test") as hand:
        hand.execute(statement.encode())
    assert any(found.startswith(problem) for found in problems(schema_settings))


def test_an_unknown_and_an_altered_migration_are_named(schema_settings: Settings, folder: Path) -> None:
    extra = folder / "209901010000_extra.sql"
    extra.write_text("CREATE TABLE extra (id int)")
    migrate(schema_settings, folder)
    extra.unlink()
    first = min(folder.glob("*_calls.sql"))
    first.write_text(first.read_text() + "\n-- altered\n")
    assert problems(schema_settings, folder) == [
        "unknown migration 209901010000_extra: applied, but not in postgres/",
        f"migration {first.stem} was altered after it was applied",
    ]


def test_a_migration_that_fails_leaves_nothing_of_itself(schema_settings: Settings, folder: Path) -> None:
    migrate(schema_settings, folder)
    (folder / "209901010000_bad.sql").write_text("CREATE TABLE half (id int);\nSELECT 1 / 0;\n")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(schema_settings, folder)
    schema = PostgresSchema(schema_settings, folder)
    assert schema.pending() == ["209901010000_bad"]
    assert problems(schema_settings, folder) == []


def test_a_server_that_is_down_is_an_outage() -> None:
    with pytest.raises(OutageError, match="cannot be reached"):
        PostgresSchema(load_settings(postgres_dsn="postgresql://voc@127.0.0.1:1/nowhere")).create_database()


def test_outside_dev_a_missing_database_is_the_operators(schema_settings: Settings) -> None:
    server = schema_settings.postgres_dsn.get_secret_value().rpartition("/voc?")[0]
    prod = load_settings(
        app_env="stg",
        postgres_dsn=f"{server}/nowhere",
        pii_keys=schema_settings.pii_keys.get_secret_value(),
        pii_key_id="k1",
    )
    with pytest.raises(OutageError, match="nowhere does not exist; create it"):
        PostgresSchema(prod).create_database()
