"""What a ClickHouse HTTP request asks for."""

from __future__ import annotations

import pytest

from voc_stream.devstack.clickhouse.protocol import BadRequestError, Statement, error_code, http_status, parse


def test_an_insert_in_the_body_is_split_into_its_head_and_its_rows() -> None:
    statement = parse({}, b"INSERT INTO t (`a`, `format`) FORMAT Native\n\x00\xff FORMAT Native\n")
    assert (statement.sql.strip(), statement.data_format) == ("INSERT INTO t (`a`, `format`)", "Native")
    assert statement.data == b"\x00\xff FORMAT Native\n"


def test_an_insert_in_the_url_takes_the_whole_body_as_rows() -> None:
    statement = parse({"query": "insert into t format JSONEachRow"}, b'{"a":1}\n')
    assert (statement.sql.strip(), statement.data_format, statement.data) == ("insert into t", "JSONEachRow", b'{"a":1}\n')


def test_an_insert_without_rows_is_still_an_insert() -> None:
    assert parse({"query": "INSERT INTO t FORMAT CSV"}, b"").data == b""


def test_settings_within_an_insert_stay_in_its_head() -> None:
    statement = parse({}, b"INSERT INTO t SETTINGS async_insert = 0 FORMAT CSV\n1\n")
    assert statement.sql.strip() == "INSERT INTO t SETTINGS async_insert = 0"


@pytest.mark.parametrize("sql", ["INSERT INTO t VALUES ('a FORMAT b')", "INSERT INTO t SELECT x FROM y FORMAT Null"])
def test_an_insert_of_values_or_of_a_select_is_plain_sql(sql: str) -> None:
    assert parse({}, sql.encode()) == Statement(sql)


def test_query_parameters_and_settings_are_told_from_what_steers_the_transport() -> None:
    arguments = {"query": "SELECT {a:UInt8}", "param_a": "1", "max_threads": "2", "session_id": "s", "wait_end_of_query": "1", "database": "d"}
    statement = parse(arguments, b"")
    assert (statement.params, statement.settings, statement.database) == ({"a": "1"}, {"max_threads": "2"}, "d")


def test_a_setting_that_is_not_a_name_is_refused() -> None:
    with pytest.raises(BadRequestError, match="Code: 115"):
        parse({"query": "SELECT 1", "a = 1, b": "2"}, b"")


@pytest.mark.parametrize(("body", "code"), [(b"", 62), (b" \n", 62), (b"SELECT '\xff'", 36)])
def test_a_query_that_is_missing_or_not_text_is_refused(body: bytes, code: int) -> None:
    with pytest.raises(BadRequestError) as refusal:
        parse({}, body)
    assert error_code(str(refusal.value)) == code


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", "TabSeparated"),
        ("SELECT 1\n FORMAT Native", "Native"),
        ("SELECT 1 FORMAT JSON SETTINGS max_threads = 1", "JSON"),
        ("-- why\n/* so */ (WITH 1 AS a SELECT a)", "TabSeparated"),
        ("SHOW TABLES", "TabSeparated"),
        ("CREATE TABLE t (a Int8) ENGINE = Memory AS SELECT 1", None),
        ("INSERT INTO t VALUES (1)", None),
    ],
)
def test_only_statements_that_give_rows_have_a_result_format(sql: str, expected: str | None) -> None:
    assert parse({}, sql.encode()).result_format == expected


@pytest.mark.parametrize(
    ("message", "code", "status"),
    [("Code: 60. DB::Exception: no table", 60, 404), ("Code: 62. DB::Exception: syntax", 62, 400), ("something else", 0, 500)],
)
def test_an_engine_message_gives_the_code_and_the_http_status(message: str, code: int, status: int) -> None:
    assert (error_code(message), http_status(error_code(message))) == (code, status)
