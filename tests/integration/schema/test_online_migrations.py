"""Migrations beside workers that go on (docs/migrations.md): indexes outside a transaction, backfills in batches, no long wait for a lock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.databases import own_schema
from voc_stream.schema.postgres import FOLDER, PostgresSchema
from voc_stream.settings import Settings

OUTSIDE = """-- transactional: false
-- squawk-disable-assume-in-transaction
SET lock_timeout = '30s';
SET statement_timeout = '30s';
"""

INDEX = "DROP INDEX CONCURRENTLY IF EXISTS pause_once;\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS pause_once ON pause (actor);\n"

BATCHES = """DO $$
BEGIN
    LOOP
        UPDATE pause SET reason = 'filled' WHERE (stage, tenant_id) IN (SELECT stage, tenant_id FROM pause WHERE reason = '' LIMIT 2);
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END;
$$;
"""

PAUSE = "INSERT INTO pause (stage, tenant_id, paused, reason, actor, changed_at) VALUES (%s, 'acme', false, '', %s, now())"


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Iterator[tuple[PostgresSchema, Path, psycopg.Connection]]:
    """A migrated schema, the folder of its migrations, and a session beside it."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "postgres"))
    with own_schema(settings) as lent:
        schema = PostgresSchema(lent, folder)
        migrate(schema)
        with psycopg.connect(lent.postgres_dsn.get_secret_value(), autocommit=True, application_name="voc-stream-test") as session:
            yield schema, folder, session


def migrate(schema: PostgresSchema) -> list[str]:
    with schema.locked(30):
        assert schema.problems() == []
        return schema.apply()


def test_a_table_is_backfilled_in_batches_and_indexed_without_a_transaction(own: tuple[PostgresSchema, Path, psycopg.Connection]) -> None:
    schema, folder, session = own
    for number in range(5):
        session.execute(PAUSE, (f"stage-{number}", f"actor-{number}"))
    (folder / "209901010000_fill.sql").write_text(OUTSIDE + BATCHES + INDEX)
    (folder / "209901010000_fill.rollback.sql").write_text("DROP INDEX CONCURRENTLY pause_once;")

    assert migrate(schema) == ["209901010000_fill"]
    assert migrate(schema) == []

    assert session.execute("SELECT count(*), count(DISTINCT xmin::text) FROM pause WHERE reason = 'filled'").fetchone() == (5, 3)
    assert any("pause_once" in line for line in schema.snapshot())
    assert schema.roll_back_one() == "209901010000_fill"
    assert not any("pause_once" in line for line in schema.snapshot())


def test_an_index_that_broke_off_is_made_again_by_the_next_run(own: tuple[PostgresSchema, Path, psycopg.Connection]) -> None:
    schema, folder, session = own
    for stage in ("score", "export"):
        session.execute(PAUSE, (stage, "the same"))
    (folder / "209901010000_once.sql").write_text(OUTSIDE + INDEX)

    with pytest.raises(psycopg.errors.UniqueViolation):
        migrate(schema)
    assert any("pause_once" in line and line.endswith("INVALID") for line in schema.snapshot()), "what PostgreSQL leaves of it"
    session.execute("DELETE FROM pause WHERE stage = 'score'")

    assert migrate(schema) == ["209901010000_once"]
    assert not any(line.endswith("INVALID") for line in schema.snapshot())
    assert migrate(schema) == []


def test_a_migration_that_waits_for_a_lock_gives_up_before_the_workers_notice(own: tuple[PostgresSchema, Path, psycopg.Connection]) -> None:
    schema, folder, session = own
    (folder / "209901010000_note.sql").write_text("SET LOCAL lock_timeout = '200ms';\nALTER TABLE pause ADD COLUMN note text;\n")
    session.execute("BEGIN; SELECT * FROM pause")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        migrate(schema)
    session.execute("COMMIT")
    assert migrate(schema) == ["209901010000_note"]


def test_every_migration_runs_with_bounds_on_its_waits_and_its_statements(own: tuple[PostgresSchema, Path, psycopg.Connection]) -> None:
    schema, folder, session = own
    (folder / "209901010000_told.sql").write_text(
        "CREATE TABLE told AS SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement;",
    )
    migrate(schema)
    assert session.execute("SELECT * FROM told").fetchone() == ("5s", "1min")


def test_a_statement_that_takes_too_long_is_a_failure_and_no_outage(own: tuple[PostgresSchema, Path, psycopg.Connection]) -> None:
    schema, folder, _ = own
    (folder / "209901010000_slow.sql").write_text("SET LOCAL statement_timeout = '50ms';\nSELECT pg_sleep(5);\n")
    with pytest.raises(psycopg.errors.QueryCanceled):
        migrate(schema)
