"""Each store twice: the fake that unit tests use, and the real one on the stack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TypeAlias

import pytest
from moto.server import ThreadedMotoServer

from tests.databases import empty_tables, own_schema
from tests.fakes.call_store import FakeCallStore
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.postgres import Database
from voc_stream.devstack.stack import Stack
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.security.vault import Vault
from voc_stream.settings import Settings, load_settings

AnyCallStore: TypeAlias = CallStore | FakeCallStore

BOTH = ("fake", pytest.param("postgres", marks=pytest.mark.integration))


@pytest.fixture(scope="session")
def migrated(stack: Stack) -> Iterator[Settings]:
    """Settings of a migrated schema, made once."""
    with own_schema(load_settings(postgres_dsn=stack.endpoints["POSTGRES_DSN"])) as settings:
        schema = PostgresSchema(settings)
        with schema.locked(30):
            schema.apply()
        yield settings


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """Return the address of an S3 server without buckets."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture(params=BOTH)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[AnyCallStore]:
    if request.param == "fake":
        yield FakeCallStore(error_redrives=2, error_redrive_seconds=600)
        return
    settings = request.getfixturevalue("migrated").model_copy(update={"error_redrives": 2, "error_redrive_seconds": 600.0})
    empty_tables(settings)
    db = Database(settings)
    yield CallStore(db, Vault(settings.encryption_keys, settings.pii_key_id), settings)
    await db.close()
