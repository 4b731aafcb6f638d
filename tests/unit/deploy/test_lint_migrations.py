"""Migrations that would stop the workers that run are refused (`deploy/lint_migrations.py`, docs/migrations.md)."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.deploy.test_prometheus import ROOT

SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "deploy" / "lint_migrations.py"))
LAST_BEFORE_RELEASE = "202611221621"

OUTSIDE = """-- transactional: false
-- squawk-disable-assume-in-transaction
SET lock_timeout = '10min';
SET statement_timeout = 0;
"""

BATCHES = """DO $$
BEGIN
    LOOP
        UPDATE call SET x = 1 WHERE FALSE;
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END;
$$;
"""

BAD_POSTGRES = {
    "CREATE INDEX call_x ON call (x);": "require-concurrent-index-creation",
    "DROP INDEX call_x;": "require-concurrent-index-deletion",
    "ALTER TABLE call ADD COLUMN x bigint NOT NULL;": "adding-required-field",
    "ALTER TABLE call ADD COLUMN x uuid DEFAULT gen_random_uuid();": "adding-field-with-default",
    "ALTER TABLE call ALTER COLUMN x TYPE bigint;": "changing-column-type",
    "ALTER TABLE call ALTER COLUMN x SET NOT NULL;": "adding-not-nullable-field",
    "ALTER TABLE call ADD CONSTRAINT call_x CHECK (x > 0);": "constraint-missing-not-valid",
    "ALTER TABLE call ADD CONSTRAINT call_x UNIQUE (x);": "disallowed-unique-constraint",
    "ALTER TABLE call ADD CONSTRAINT call_x FOREIGN KEY (x) REFERENCES agent (id);": "adding-foreign-key-constraint",
    "ALTER TABLE call RENAME COLUMN x TO y;": "renaming-column",
    "ALTER TABLE call DROP COLUMN x;": "ban-drop-column",
    "DROP TABLE pause;": "ban-drop-table",
    "REINDEX TABLE call;": "require-concurrent-reindex",
    "VACUUM FULL call;": "rewrites",
    "CLUSTER call USING call_x;": "rewrites",
    "LOCK TABLE call;": "locks",
    "TRUNCATE pause;": "locks",
    "REFRESH MATERIALIZED VIEW x;": "refresh",
    "-- All of them.\nUPDATE call SET x = 1;": "backfill",
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS call_x ON call (x);": "transactional: CONCURRENTLY works outside",
    "-- transactional: false\nSELECT 1;": "say both",
    OUTSIDE.replace("SET statement_timeout = 0;\n", "") + "SELECT 1;": "timeouts",
    OUTSIDE + "CREATE INDEX CONCURRENTLY call_x ON call (x);": "prefer-robust-stmts",
}

GOOD_POSTGRES = (
    "CREATE TABLE t (a bigint NOT NULL);\nCREATE INDEX t_a ON t (a);",
    "ALTER TABLE call ADD COLUMN x bigint, ADD COLUMN y bigint NOT NULL DEFAULT 0;",
    "ALTER TABLE call ADD CONSTRAINT call_x CHECK (x IS NOT NULL) NOT VALID;",
    "ALTER TABLE call VALIDATE CONSTRAINT call_x;",
    "-- squawk-ignore ban-drop-column\nALTER TABLE call DROP COLUMN x;",
    "-- lint-allow backfill: a table of a few rows\nUPDATE pause SET paused = false;",
    OUTSIDE + "DROP INDEX CONCURRENTLY IF EXISTS call_x;\nCREATE INDEX CONCURRENTLY IF NOT EXISTS call_x ON call (x);",
    OUTSIDE + BATCHES,
)

BAD_CLICKHOUSE = {
    "ALTER TABLE voc_events UPDATE topic = '' WHERE 1;": "mutation",
    "ALTER TABLE voc_events DELETE WHERE 1;": "mutation",
    "DELETE FROM voc_events WHERE 1;": "mutation",
    "ALTER TABLE voc_events MATERIALIZE INDEX call_ids;": "materialize",
    "OPTIMIZE TABLE voc_events FINAL;": "optimize",
    "ALTER TABLE voc_events MODIFY COLUMN topic String;": "column-type",
    "ALTER TABLE voc_events MODIFY TTL ts + INTERVAL 1 DAY;": "ttl",
    "ALTER TABLE voc_events MODIFY ORDER BY (ts);": "order",
    "ALTER TABLE voc_events RENAME COLUMN topic TO subject;": "rename",
    "ALTER TABLE voc_events DROP COLUMN topic;": "drop",
    "DROP TABLE IF EXISTS voc_sums;": "drop",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO t POPULATE AS SELECT 1;": "populate",
    "INSERT INTO a SELECT * FROM b;": "backfill",
    "CREATE TABLE a (b Int8) ENGINE = Memory;": "not-again",
    "ALTER TABLE voc_events ADD COLUMN x String;": "not-again",
    "-- lint-allow drop:\nDROP TABLE IF EXISTS voc_sums;": "drop",
}

GOOD_CLICKHOUSE = (
    "-- What was an UPDATE once.\nALTER TABLE voc_events ADD COLUMN IF NOT EXISTS x String DEFAULT '';",
    "ALTER TABLE voc_events MODIFY SETTING fsync_after_insert = 1;",
    "-- lint-allow drop: nothing has read it since 0.2\nDROP TABLE IF EXISTS voc_sums;",
)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("postgres", "clickhouse"):
        (tmp_path / name).mkdir()
    return tmp_path / "postgres", tmp_path / "clickhouse"


def test_our_own_migrations_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert SCRIPT["main"]() == 0, capsys.readouterr().out


@pytest.mark.parametrize("statement", BAD_POSTGRES)
def test_a_blocking_or_breaking_statement_of_postgresql_is_refused(
    statement: str, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[0] / "202701010000_new.sql").write_text(statement)
    assert SCRIPT["main"](*folders) == 1
    assert BAD_POSTGRES[statement] in capsys.readouterr().out


def test_the_way_that_does_not_block_passes(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    for number, statement in enumerate(GOOD_POSTGRES):
        (folders[0] / f"20270101000{number}_new.sql").write_text(statement)
    for number, statement in enumerate(GOOD_CLICKHOUSE):
        (folders[1] / f"100{number}_new.sql").write_text(statement)
    assert SCRIPT["main"](*folders) == 0, capsys.readouterr().out


@pytest.mark.parametrize("statement", BAD_CLICKHOUSE)
def test_a_statement_of_clickhouse_that_rewrites_deletes_or_breaks_is_refused(
    statement: str,
    folders: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folders[1] / "1000_new.sql").write_text(f"CREATE TABLE IF NOT EXISTS fine (a Int8) ENGINE = Memory;\n{statement}\n")
    assert SCRIPT["main"](*folders) == 1
    assert f": {BAD_CLICKHOUSE[statement]}: " in capsys.readouterr().out


def test_a_rollback_may_drop_what_its_migration_made_but_not_block(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    rollback = folders[0] / "202701010000_new.rollback.sql"
    rollback.write_text("DROP TABLE t;\nALTER TABLE call DROP COLUMN x;")
    assert SCRIPT["main"](*folders) == 0, capsys.readouterr().out
    rollback.write_text("DROP INDEX call_x;")
    assert SCRIPT["main"](*folders) == 1


def test_only_what_was_there_before_the_first_release_is_exempt() -> None:
    paths = tomllib.loads((ROOT / ".squawk.toml").read_text())["excluded_paths"]
    assert {path.removeprefix("*/")[:12] <= LAST_BEFORE_RELEASE for path in paths} == {True}
    assert {name[:4] < "0032" for name in SCRIPT["BEFORE_RELEASE"]} == {True}
