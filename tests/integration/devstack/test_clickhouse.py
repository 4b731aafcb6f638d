"""An unmodified clickhouse-connect client against ClickHouse's engine over HTTP."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from voc_stream.devstack.stack import Stack


async def _connect(stack: Stack, **options: Any) -> Any:
    endpoints = stack.endpoints
    account = {"username": endpoints["CLICKHOUSE_USER"], "password": endpoints["CLICKHOUSE_PASSWORD"]}
    where = {"host": endpoints["CLICKHOUSE_HOST"], "port": int(endpoints["CLICKHOUSE_PORT"])}
    return await clickhouse_connect.get_async_client(**{**where, **account, "autogenerate_session_id": False, **options})


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[str]:
    """A database of the test's own."""
    name = f"test_{uuid.uuid4().hex[:8]}"
    client = await _connect(stack)
    await client.command(f"CREATE DATABASE {name}")
    yield name
    await client.command(f"DROP DATABASE {name}")
    await client.close()


@pytest.fixture
async def client(stack: Stack, database: str) -> AsyncIterator[Any]:
    """A client in that database, with a table ``t`` that remembers tokens and a view over it."""
    made = await _connect(stack, database=database)
    window = "SETTINGS non_replicated_deduplication_window = 100"
    await made.command(f"CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a {window}")
    await made.command(f"CREATE TABLE sums (n UInt64) ENGINE = MergeTree ORDER BY n {window}")
    await made.command("CREATE MATERIALIZED VIEW v TO sums AS SELECT count() AS n FROM t")
    yield made
    await made.close()


async def test_rows_go_in_and_come_out(client: Any) -> None:
    await client.insert("t", [[1, "one"], [2, "zwölf"]], column_names=["a", "b"])
    assert (await client.query("SELECT a, b FROM t ORDER BY a")).result_rows == [(1, "one"), (2, "zwölf")]


async def test_raw_rows_go_in(client: Any) -> None:
    await client.raw_insert("t", ["a", "b"], b'{"a":5,"b":"five"}\n', fmt="JSONEachRow")
    assert await client.command("SELECT b FROM t") == "five"


@pytest.mark.parametrize("compression", ["lz4", "zstd", "gzip", ""])
async def test_every_compression_of_the_client_is_understood(stack: Stack, database: str, client: Any, compression: str) -> None:
    other = await _connect(stack, database=database, compress=compression)
    await other.insert("t", [[number, "x" * 100] for number in range(5000)], column_names=["a", "b"])
    assert await client.command("SELECT sum(length(b)) FROM t") == 500_000
    await other.close()


async def test_parameters_arrive_as_they_are(client: Any) -> None:
    awkward = "it's\ta \\ back`slash\nand {b:UInt8}"
    found = await client.query("SELECT {a:String}, {b:UInt8}", parameters={"a": awkward, "b": 4})
    assert found.result_rows == [(awkward, 4)]


async def test_neither_parameters_nor_settings_leak_between_concurrent_queries(client: Any) -> None:
    async def ask(number: int) -> None:
        threads = 1 + number % 7
        sql = "SELECT {n:UInt32}, getSetting('max_threads'), sleep(0.002)"
        row = (await client.query(sql, parameters={"n": number}, settings={"max_threads": threads})).result_rows[0]
        assert row[:2] == (number, threads)

    await asyncio.gather(*(ask(number) for number in range(200)))
    assert await client.command("SELECT changed FROM system.settings WHERE name = 'max_threads'") == 0


async def test_a_setting_made_by_set_does_not_outlive_its_request(client: Any) -> None:
    await asyncio.gather(*(client.command("SET max_threads = 3") for _ in range(20)))
    changed = await asyncio.gather(*(client.command("SELECT changed FROM system.settings WHERE name = 'max_threads'") for _ in range(20)))
    assert set(changed) == {0}


@pytest.mark.parametrize(
    ("sql", "code"), [("SELECT nope", 47), ("SELECT * FROM nowhere", 60), ("SELEC 1", 62), ("SELECT 1 SETTINGS no_such = 1", 115)]
)
async def test_an_error_is_raised_with_its_code(client: Any, sql: str, code: int) -> None:
    with pytest.raises(DatabaseError) as refusal:
        await client.query(sql)
    assert refusal.value.code == code


async def test_an_insert_into_nowhere_is_raised_with_its_code(client: Any) -> None:
    with pytest.raises(DatabaseError) as refusal:
        await client.raw_insert("nowhere", ["a"], b"1\n", fmt="CSV")
    assert refusal.value.code == 60


async def test_a_broken_row_is_refused_and_the_next_insert_works(client: Any) -> None:
    with pytest.raises(DatabaseError):
        await client.raw_insert("t", ["a", "b"], b'{"a": "not a number"}\n', fmt="JSONEachRow")
    await client.insert("t", [[1, "one"]], column_names=["a", "b"])
    assert await client.command("SELECT count() FROM t") == 1


async def test_an_insert_that_fails_after_its_rows_were_read_is_raised_and_stores_nothing(client: Any) -> None:
    await client.command("CREATE TABLE many (a UInt64) ENGINE = MergeTree PARTITION BY a ORDER BY a")
    with pytest.raises(DatabaseError) as refusal:
        await client.insert("many", [[number] for number in range(200)], column_names=["a"])
    assert refusal.value.code == 252
    await client.command("ALTER TABLE t ADD CONSTRAINT small CHECK a < 3")
    with pytest.raises(DatabaseError) as refusal:
        await client.insert("t", [[3, "three"]], column_names=["a", "b"])
    assert refusal.value.code == 469
    assert await client.command("SELECT count() FROM many") == await client.command("SELECT count() FROM t") == 0


async def test_settings_within_the_statement_are_obeyed(client: Any) -> None:
    rows = "INSERT INTO t (a, b) SETTINGS max_partitions_per_insert_block = 0 FORMAT CSV\n1,one\n"
    await client.command(rows)
    assert await client.command("SELECT b FROM t") == "one"


async def test_a_token_sent_again_changes_neither_table_nor_view(client: Any) -> None:
    settings = {"insert_deduplication_token": "voc.calls:0:0-1", "deduplicate_blocks_in_dependent_materialized_views": 1, "async_insert": 0}
    for _ in range(3):
        await client.insert("t", [[1, "one"], [2, "two"]], column_names=["a", "b"], settings=settings)
    other = {**settings, "insert_deduplication_token": "voc.calls:0:2-3"}
    await client.insert("t", [[1, "one"], [2, "two"]], column_names=["a", "b"], settings=other)
    assert await client.command("SELECT count() FROM t") == 4
    assert await client.command("SELECT sum(n) FROM sums") == 4


async def test_an_empty_result_and_a_probe_of_the_columns_work(client: Any) -> None:
    assert (await client.query("SELECT a FROM t")).result_rows == []
    assert (await client.query("SELECT a, b FROM t LIMIT 0")).column_names == ("a", "b")


async def test_a_wrong_password_is_refused_with_its_code(stack: Stack) -> None:
    with pytest.raises(DatabaseError) as refusal:
        await _connect(stack, password="guess")
    assert refusal.value.code == 516


async def test_acknowledged_rows_and_tokens_outlive_a_kill(small_stack: Stack) -> None:
    before = await _connect(small_stack)
    await before.command("CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100")
    for number in range(20):
        await before.insert("kept", [[number]], column_names=["a"], settings={"insert_deduplication_token": f"t{number}"})
    await before.close()
    await asyncio.to_thread(small_stack.kill, "clickhouse")
    await asyncio.to_thread(small_stack.start_part, "clickhouse")
    after = await _connect(small_stack)
    await after.insert("kept", [[19]], column_names=["a"], settings={"insert_deduplication_token": "t19"})
    assert (await after.query("SELECT count(), uniqExact(a) FROM kept")).result_rows == [(20, 20)]
    await after.close()
