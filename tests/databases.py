"""Databases of a test's own on the stack's servers: a schema in PostgreSQL, a database in ClickHouse, both removed at the end."""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import quote

import psycopg
from psycopg import sql

from voc_stream.clients.clickhouse import Warehouse
from voc_stream.settings import Settings, load_settings

KEYS = {key_id: base64.b64encode(bytes([number]) * 32).decode() for number, key_id in enumerate(("k1", "k2"), start=1)}


def with_keys(settings: Settings) -> Settings:
    """Return the settings with two known keys, of which the second seals."""
    given = settings.model_dump(include={"postgres_dsn", "clickhouse_db"}) | {"pii_keys": ",".join(map(":".join, KEYS.items())), "pii_key_id": "k2"}
    return load_settings(**given)


@contextmanager
def own_schema(settings: Settings) -> Iterator[Settings]:
    """Lend settings whose PostgreSQL connections see an empty schema only."""
    dsn, name = settings.postgres_dsn.get_secret_value(), f"test_{uuid.uuid4().hex}"
    schema = sql.Identifier(name)
    _execute(dsn, sql.SQL("CREATE SCHEMA {}").format(schema))
    try:
        yield with_keys(settings.model_copy(update={"postgres_dsn": f"{dsn}?options={quote(f'-c search_path={name}', safe='')}"}))
    finally:
        _execute(dsn, sql.SQL("DROP SCHEMA {} CASCADE").format(schema))


@asynccontextmanager
async def own_warehouse(settings: Settings) -> AsyncIterator[Settings]:
    """Lend settings of a ClickHouse database that does not exist yet."""
    name = f"test_{uuid.uuid4().hex}"
    admin = Warehouse(settings)
    try:
        yield settings.model_copy(update={"clickhouse_db": name})
    finally:
        await admin.command(f"DROP DATABASE IF EXISTS `{name}`")
        await admin.close()


def empty_tables(settings: Settings) -> None:
    """Remove every row; the append-only log is dropped and kept empty by its own tests."""
    _execute(settings.postgres_dsn.get_secret_value(), sql.SQL("TRUNCATE call, call_event, ingestion_checkpoint, dead_letter, agent, alert CASCADE"))


def _execute(dsn: str, statement: sql.SQL | sql.Composed) -> None:
    """Run one statement on a connection of its own: another test may restart the server in between."""
    with psycopg.connect(dsn, autocommit=True, connect_timeout=10, application_name="voc-stream-test") as session:
        session.execute(statement)
