"""A schema of the tests' own, migrated once; its rows are removed before each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.databases import empty_tables, own_schema
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.postgres import Database
from voc_stream.devstack.stack import Stack
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.security.vault import Vault
from voc_stream.settings import Settings, load_settings


@pytest.fixture(scope="module")
def schema_settings(stack: Stack) -> Iterator[Settings]:
    with own_schema(load_settings(postgres_dsn=stack.endpoints["POSTGRES_DSN"])) as settings:
        schema = PostgresSchema(settings)
        with schema.locked(30):
            schema.apply()
        yield settings


@pytest.fixture
def migrated(schema_settings: Settings) -> Settings:
    empty_tables(schema_settings)
    return schema_settings


@pytest.fixture
async def db(migrated: Settings) -> AsyncIterator[Database]:
    database = Database(migrated)
    yield database
    await database.close()


@pytest.fixture
def vault(migrated: Settings) -> Vault:
    return Vault(migrated.encryption_keys, migrated.pii_key_id)


@pytest.fixture
def store(db: Database, vault: Vault, migrated: Settings) -> CallStore:
    return CallStore(db, vault, migrated)
