"""Connections for those who read: they cannot write, see one moment, and take no longer than they may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from voc_stream.clients.postgres import Database
from voc_stream.clients.reader import reader
from voc_stream.errors import BusyError, OutageError
from voc_stream.settings import Settings

COUNT = "SELECT count(*) FROM agent"


@pytest.fixture
async def reading(migrated: Settings) -> AsyncIterator[Database]:
    made = reader(migrated, seconds=0.3)
    yield made
    await made.close()


async def test_a_single_statement_cannot_write(reading: Database) -> None:
    with pytest.raises(OutageError, match="read-only"):
        async with reading.connection() as connection:
            await connection.execute("INSERT INTO agent (agent_id) VALUES ('a1')")


async def test_a_transaction_sees_one_moment(reading: Database, db: Database) -> None:
    async with reading.transaction() as connection:
        assert await connection.fetchval(COUNT) == 0
        async with db.connection() as other:
            await other.execute("INSERT INTO agent (agent_id) VALUES ('a1')")
        assert await connection.fetchval(COUNT) == 0
    async with reading.connection() as connection:
        assert await connection.fetchval(COUNT) == 1


async def test_a_statement_that_takes_too_long_is_ended_by_the_server_itself(reading: Database) -> None:
    with pytest.raises(BusyError, match="too long"):
        async with asyncio.timeout(10), reading.connection() as connection:
            await connection.execute("SELECT pg_sleep(5)")


async def test_plans_are_made_for_the_question_s_own_values(reading: Database) -> None:
    async with reading.connection() as connection:
        assert await connection.fetchval("SELECT current_setting('plan_cache_mode') || current_setting('jit')") == "force_custom_planoff"
