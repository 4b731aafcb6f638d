"""The people's side for tests: the application on a desk, and a token for each scope and tenant.

`unit_desk()` needs no server: tokens and sessions are in memory, and what routes ask of PostgreSQL goes to `FakeDatabase`, which takes audit
rows and answers nothing else. `real_desk(settings)` is the desk of the process itself, on a migrated schema.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
from fastapi import FastAPI

from tests.fakes.access import FakeSessions, FakeTokens
from tests.fakes.object_store import FakeObjectStore
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.token_store import TokenStore
from voc_stream.security.grants import SCOPES
from voc_stream.security.tokens import TokenText, new_token
from voc_stream.settings import Settings, load_settings
from voc_stream.web.app import make_app
from voc_stream.web.credentials import Credentials
from voc_stream.web.desk import Desk

TENANT = "acme"
OTHER = "globex"
# Callers of the tests share an address, and some of them guess.
_RATES = {"http_peer_rate": 100_000, "http_tenant_rate": 100_000}
BASE_URL = "http://localhost"


@dataclass(frozen=True, slots=True)
class Keyring:
    """Tokens by whose and what for; `""` as a tenant: of all of them."""

    tokens: Mapping[tuple[str, str], TokenText]

    def token(self, scope: str = "read", tenant: str = TENANT) -> str:
        """Return the text of a token."""
        return self.tokens[tenant, scope].text

    def headers(self, scope: str = "read", tenant: str = TENANT) -> dict[str, str]:
        """Return what a caller with this token sends."""
        return {"Authorization": f"Bearer {self.token(scope, tenant)}"}


@dataclass(slots=True)
class FakeDatabase:
    """Takes audit rows.

    Attributes:
        audited: actor, action, subject, tenant, before, after, address.
    """

    audited: list[tuple[Any, ...]] = field(default_factory=list)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[FakeDatabase]:
        """Lend itself."""
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[FakeDatabase]:
        """Lend itself."""
        yield self

    async def execute(self, statement: str, *values: Any) -> None:
        """Take an audit row."""
        assert "INSERT INTO audit_log" in statement
        self.audited.append(values)

    async def probe(self) -> None:
        """Be well."""

    async def close(self) -> None:
        """Hold nothing."""


@dataclass(frozen=True, slots=True)
class UnitDesk:
    """A desk without servers.

    Attributes:
        desk: for `make_app`.
        keyring: who may ask.
        tokens: behind it.
        sessions: of browsers.
        db: what was audited.
    """

    desk: Desk
    keyring: Keyring
    tokens: FakeTokens
    sessions: FakeSessions
    db: FakeDatabase


def unit_desk(**settings: Any) -> UnitDesk:
    """Return a desk without servers; its other clients point at nobody."""
    tokens, db = FakeTokens(), FakeDatabase()
    sessions = FakeSessions(tokens)
    desk = Desk.of(web_settings(load_settings(**settings)))
    desk.db = desk.reader = cast("Database", db)
    desk.objects = cast("ObjectStore", FakeObjectStore())
    desk.credentials = Credentials(tokens, sessions, desk.settings)
    keyring = Keyring({(tenant, scope): tokens.give(tenant or None, [scope]) for tenant in (TENANT, OTHER, "") for scope in SCOPES})
    return UnitDesk(desk, keyring, tokens, sessions, db)


@asynccontextmanager
async def real_desk(settings: Settings) -> AsyncIterator[tuple[Desk, Keyring]]:
    """Lend a desk on servers, with a keyring in its PostgreSQL; `served` opens and closes the desk."""
    db = Database(settings)
    try:
        yield Desk.of(web_settings(settings)), await give_keyring(db)
    finally:
        await db.close()


async def give_keyring(db: Database) -> Keyring:
    """Store a token for each scope and tenant."""
    store, tokens = TokenStore(db), {}
    for tenant in (TENANT, OTHER, ""):
        for scope in SCOPES:
            tokens[tenant, scope] = token = new_token()
            until = datetime.now(UTC) + timedelta(days=1)
            await store.add(token, tenant_id=tenant or None, scopes=[scope], expires_at=until, label="test", actor="cli:test")
    return Keyring(tokens)


def web_settings(settings: Settings) -> Settings:
    """Return settings under which a test may ask as often as it likes."""
    return settings.model_copy(update=_RATES)


@asynccontextmanager
async def served(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """Lend a client of the application on a desk, in this process; it follows no redirects, and errors of the application are answers."""
    async with client_of(make_app(desk)) as client:
        yield client


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Lend a client of an application that has been started."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 50_000))
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield client


@asynccontextmanager
async def asking(
    made: UnitDesk, part: Callable[..., Any], stand_in: object, *, scope: str = "operate", tenant: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    """Lend a client that shows a credential.

    Args:
        made: the desk.
        part: a dependency of routes.
        stand_in: what they get in its place.
        scope: of the credential.
        tenant: whose, "" for all.
    """
    app = make_app(made.desk)
    app.dependency_overrides[part] = lambda: stand_in
    async with client_of(app) as client:
        client.headers.update(made.keyring.headers(scope, tenant))
        yield client
