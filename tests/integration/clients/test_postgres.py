"""The pool on a server that is hurt."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls import enriched
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.postgres import Database
from voc_stream.errors import OutageError, RejectedError, TransientError
from voc_stream.settings import Settings, load_settings


async def test_a_killed_connection_is_an_outage_and_the_next_one_works(db: Database, store: CallStore) -> None:
    async def die() -> None:
        async with db.transaction() as connection:
            await connection.execute("INSERT INTO agent (agent_id) VALUES ('a1')")
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(OutageError):
        await die()
    await db.probe()
    await store.apply([enriched()])
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM agent") == 0


async def test_connections_that_died_while_idle_are_replaced(db: Database, migrated: Settings) -> None:
    async with db.connection() as first:
        await first.execute("SET application_name = 'voc-stream-victim'")
        victim = first.get_server_pid()
    other = Database(migrated)
    async with other.connection() as connection:
        await connection.execute("SELECT pg_terminate_backend($1, 5000)", victim)
    await other.close()
    await db.probe()


async def test_nobody_at_the_address_is_an_outage_and_making_the_pool_is_not() -> None:
    db = Database(load_settings(postgres_dsn="postgresql://voc:secret@127.0.0.1:1/voc"))
    with pytest.raises(OutageError) as caught:
        await db.probe()
    assert "secret" not in str(caught.value)
    await db.close()


async def test_a_wrong_password_and_a_missing_database_are_outages(migrated: Settings) -> None:
    dsn = migrated.postgres_dsn.get_secret_value()
    server, _, rest = dsn.partition("@")
    for wrong in (f"{server}x@{rest}", dsn.replace("/voc?", "/nowhere?")):
        db = Database(load_settings(postgres_dsn=wrong))
        with pytest.raises(OutageError):
            await db.probe()
        await db.close()


async def test_tables_that_are_missing_are_an_outage_that_names_the_command(migrated: Settings) -> None:
    dsn = migrated.postgres_dsn.get_secret_value().partition("?")[0]
    db = Database(load_settings(postgres_dsn=f"{dsn}?options=-c%20search_path%3Dpg_catalog"))
    with pytest.raises(OutageError, match="faust -A voc_stream migrate"):
        await db.probe()
    await db.close()


async def test_a_read_only_server_is_an_outage(migrated: Settings) -> None:
    dsn = migrated.postgres_dsn.get_secret_value()
    db = Database(load_settings(postgres_dsn=f"{dsn}%20-c%20default_transaction_read_only%3Don"))
    with pytest.raises(OutageError, match="read-only"):
        await db.probe()
    await db.close()


async def test_a_pool_with_no_connection_free_gives_up_in_time(migrated: Settings) -> None:
    db = Database(migrated.model_copy(update={"postgres_pool_size": 1, "postgres_timeout_seconds": 0.3}))
    async with db.connection():
        with pytest.raises(OutageError, match="no connection within"):
            await db.probe()
    await db.probe()
    await db.close()


async def test_a_statement_that_takes_too_long_is_tried_again_and_its_connection_is_given_back(migrated: Settings) -> None:
    db = Database(migrated.model_copy(update={"postgres_pool_size": 1, "postgres_timeout_seconds": 0.5}))
    with pytest.raises(TransientError):
        async with db.transaction() as connection:
            await connection.execute("SELECT pg_sleep(30)")
    await db.probe()
    await db.close()


async def test_a_deadlock_is_tried_again(db: Database) -> None:
    async with db.connection() as connection:
        await connection.execute("INSERT INTO agent (agent_id) VALUES ('a1'), ('a2')")
    both = asyncio.Barrier(2)

    async def update(*agent_ids: str) -> None:
        async with db.transaction() as connection:
            await connection.execute("UPDATE agent SET team = 'x' WHERE agent_id = $1", agent_ids[0])
            await both.wait()
            await connection.execute("UPDATE agent SET team = 'x' WHERE agent_id = $1", agent_ids[1])

    outcomes = await asyncio.gather(update("a1", "a2"), update("a2", "a1"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [TransientError]


async def test_data_that_does_not_fit_is_rejected_without_quoting_it(db: Database) -> None:
    for statement, value in (
        ("INSERT INTO agent (agent_id) VALUES ($1)", "secret-name-that-is-too-long"),
        ("INSERT INTO agent (agent_id, active) VALUES ('a', $1::text::boolean)", "secret-name"),
    ):
        with pytest.raises(RejectedError) as caught:
            async with db.connection() as connection:
                await connection.execute(statement, value)
        assert "secret-name" not in str(caught.value)
