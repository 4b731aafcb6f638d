"""PostgreSQL, ClickHouse and S3 of a test's own on the stack's servers."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.databases import own_schema, own_warehouse
from voc_stream import bucket
from voc_stream.clients.call_privacy import CallPrivacy
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.security.vault import Vault
from voc_stream.services.forgetting import Forgetting
from voc_stream.services.originals import Originals
from voc_stream.settings import Settings


@dataclass(slots=True, kw_only=True)
class Kept:
    """What PostgreSQL keeps."""

    settings: Settings
    db: Database
    vault: Vault
    store: CallStore
    privacy: CallPrivacy
    originals: Originals

    async def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Return what a query finds."""
        async with self.db.connection() as connection:
            return [tuple(row) for row in await connection.fetch(query, *values)]


@dataclass(slots=True, kw_only=True)
class Places:
    """Everywhere that a customer leaves traces."""

    kept: Kept
    objects: ObjectStore
    warehouse: Warehouse

    @property
    def forgetting(self) -> Forgetting:
        """Forgets at once: no worker runs that must hear of it."""
        return Forgetting(self.warehouse, self.kept.db, self.kept.vault, actor="jane", objects=self.objects, sleep=_no_wait)


@pytest.fixture
def own(settings: Settings) -> Iterator[Settings]:
    """The settings of a migrated schema, and of a bucket and database that are not there yet."""
    with own_schema(settings) as own:
        schema = PostgresSchema(own)
        with schema.locked(30):
            schema.apply()
        yield own.model_copy(update={"s3_bucket": f"privacy-{uuid.uuid4().hex[:12]}"})


@pytest.fixture
async def kept(own: Settings) -> AsyncIterator[Kept]:
    db, vault = Database(own), Vault(own.encryption_keys, own.pii_key_id)
    yield Kept(settings=own, db=db, vault=vault, store=CallStore(db, vault, own), privacy=CallPrivacy(db, vault), originals=Originals(db, vault))
    await db.close()


@pytest.fixture
async def places(kept: Kept) -> AsyncIterator[Places]:
    async with own_warehouse(kept.settings) as own:
        objects, warehouse = ObjectStore(own), Warehouse(own)
        schema = ClickHouseSchema(own, warehouse)
        await schema.create_database()
        await schema.apply()
        await bucket.run(own, lambda _line: None)
        await objects.open()
        yield Places(kept=kept, objects=objects, warehouse=warehouse)
        await objects.close()
        await warehouse.close()


async def _no_wait(_seconds: float) -> None:
    """Nobody has to hear of it."""
