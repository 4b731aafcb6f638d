"""Which access token ends next, of those that somebody would miss."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from tests.databases import own_schema
from voc_stream.clients.postgres import Database
from voc_stream.clients.token_store import TokenStore
from voc_stream.devstack.stack import Stack
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.security.tokens import new_token
from voc_stream.settings import load_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def db(stack: Stack) -> AsyncIterator[Database]:
    with own_schema(load_settings(postgres_dsn=stack.endpoints["POSTGRES_DSN"])) as settings:
        schema = PostgresSchema(settings)
        with schema.locked(30):
            schema.apply()
        db = Database(settings)
        yield db
        await db.close()


async def make(db: Database, *, ends: timedelta, used: timedelta | None) -> str:
    """Make a token that ends then and was last used so long ago."""
    token, store = new_token(), TokenStore(db)
    await store.add(token, tenant_id="acme", scopes=["read"], expires_at=NOW + ends, label="", actor="cli:test")
    if used is not None:
        await store.used({token.key: NOW - used})
    return token.key


async def test_the_next_token_to_end_is_one_that_is_used_lasts_and_was_not_revoked(db: Database) -> None:
    store = TokenStore(db)
    assert await store.soonest_end() is None
    lasting, hour = timedelta(days=60), timedelta(hours=1)
    await make(db, ends=lasting, used=hour)
    await make(db, ends=timedelta(days=1), used=hour)  # made for a day
    await make(db, ends=timedelta(days=40), used=None)
    await make(db, ends=timedelta(days=40), used=timedelta(days=8))
    next_one = await make(db, ends=timedelta(days=50), used=hour)
    assert await store.soonest_end() == NOW + timedelta(days=50)
    await store.revoke(next_one, "cli:test")
    assert await store.soonest_end() == NOW + lasting
