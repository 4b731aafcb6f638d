"""The migration files themselves, and what is made of them."""

from __future__ import annotations

import re

import pytest

from voc_stream.schema import clickhouse, postgres
from voc_stream.schema.snapshot import differences
from voc_stream.stages.changes import Status

FORWARD = [path for folder in (postgres.FOLDER, clickhouse.FOLDER) for path in sorted(folder.glob("*.sql")) if ".rollback" not in path.name]


def test_there_are_migrations_of_both() -> None:
    assert {path.parent.name for path in FORWARD} == {"postgres", "clickhouse"}


@pytest.mark.parametrize("path", FORWARD, ids=lambda path: path.name)
def test_every_migration_has_a_rollback_and_a_name_that_orders_it(path: object) -> None:
    assert isinstance(path, type(FORWARD[0]))
    assert path.with_suffix(".rollback.sql").exists()
    assert re.fullmatch(r"\d{12}_[a-z_]+" if path.parent.name == "postgres" else r"\d{4}_[a-z_]+", path.stem)


def test_the_database_knows_every_status_and_no_other() -> None:
    text = next(postgres.FOLDER.glob("*_calls.sql")).read_text()
    known = re.search(r"call_status_known CHECK \(status IN \((.*)\)\)", text)
    assert known is not None
    assert set(re.findall(r"'(\w+)'", known[1])) == set(Status)


def test_a_clickhouse_migration_is_split_at_line_ends() -> None:
    text = "-- one; two\nCREATE VIEW a AS\nSELECT ';' AS b;\n\n  -- more\nDROP VIEW a;\n"
    assert clickhouse.statements(text) == ["CREATE VIEW a AS\nSELECT ';' AS b", "DROP VIEW a"]


def test_a_last_statement_without_a_line_end_is_one_too() -> None:
    assert clickhouse.statements("SELECT 1;") == ["SELECT 1"]


def test_differences_say_what_is_missing_and_what_nobody_planned() -> None:
    assert differences(["column a.b int", "index c"], ["index c", "column a.x text"]) == [
        "missing: column a.b int",
        "not from a migration: column a.x text",
    ]
    assert differences(["a"], ["a"]) == []
