"""Who is asking, on the real PostgreSQL and with an identity provider of its own process."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from tests.databases import own_schema
from tests.identity_provider import SECRET
from tests.unit.services.test_secret_watch import put
from tests.unit.web.test_login import gone_there_and_back, sent
from tests.web_desk import TENANT, Keyring, client_of, real_desk
from voc_stream import access_tokens
from voc_stream.clients import oidc_provider
from voc_stream.clients.postgres import Database
from voc_stream.clients.session_store import SessionStore
from voc_stream.clients.token_store import TokenStore
from voc_stream.devstack.stack import Stack
from voc_stream.errors import OutageError, RejectedError
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.security.tokens import parse_token
from voc_stream.settings import Settings, load_settings
from voc_stream.web import credentials
from voc_stream.web.app import make_app
from voc_stream.web.desk import Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[3]
PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Access:
    """Two web processes' worth of desks on one database, and a provider."""

    settings: Settings
    desk: Desk
    keyring: Keyring
    client: httpx.AsyncClient
    beside: httpx.AsyncClient
    db: Database
    issuer: str

    async def control(self, **order: Any) -> dict[str, Any]:
        """Tell the provider what to do; it answers with a token for the API."""
        async with httpx.AsyncClient() as outside:
            answer = await outside.post(f"{self.issuer}/control", json={"audience": "voc-api"} | order)
        told: dict[str, Any] = answer.json()
        return told

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database."""
        async with self.db.connection() as connection:
            return [tuple(row) for row in await connection.fetch(query, *values)]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-m", "tests.identity_provider"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def access(stack: Stack, issuer: str) -> AsyncIterator[Access]:
    with own_schema(load_settings(postgres_dsn=stack.endpoints["POSTGRES_DSN"])) as settings:
        schema = PostgresSchema(settings)
        with schema.locked(30):
            schema.apply()
        told = settings.model_copy(
            update={
                "oidc_issuer": issuer,
                "oidc_client_id": "pages",
                "oidc_client_secret": SecretStr(SECRET),
                "oidc_redirect_url": "http://localhost/login/return",
                "oidc_audience": ("voc-api",),
            }
        )
        db = Database(settings)
        async with (
            real_desk(told) as (desk, keyring),
            client_of(make_app(desk)) as client,
            client_of(make_app(Desk.of(desk.settings))) as beside,
        ):
            yield Access(told, desk, keyring, client, beside, db, issuer)
        await db.close()


async def run(settings: Settings, *arguments: str) -> tuple[int, list[str]]:
    """Run the command as Faust does, with its own options."""
    command = click.Command("token", params=[], callback=lambda **order: order)
    for decorate in access_tokens.OPTIONS:
        command = decorate(command)
    order = command.main(list(arguments), standalone_mode=False)
    lines: list[str] = []
    return await access_tokens.run(settings, lines.append, **order), lines


async def status(client: httpx.AsyncClient, token: str) -> int:
    return (await client.get("/nowhere", headers={"Authorization": f"Bearer {token}"})).status_code


async def becomes(expected: int, client: httpx.AsyncClient, token: str) -> None:
    """Wait for what another process will say."""
    async with asyncio.timeout(PATIENCE):
        while await status(client, token) != expected:
            await asyncio.sleep(0.1)


async def test_a_token_is_made_by_command_shown_once_alone_used_listed_and_revoked_everywhere(access: Access) -> None:
    out = io.StringIO()
    with redirect_stdout(out):
        code, lines = await run(
            access.settings, "create", "--tenant", "acme", "--scope", "read", "--scope", "original", "--days", "1", "--label", "wall"
        )
    assert (code, len(lines), out.getvalue()) == (0, 1, "")
    token = parse_token(lines[0])
    assert token is not None
    assert [await status(each, token.text) for each in (access.client, access.beside)] == [404, 404]
    _, listed = await run(access.settings, "list", "--tenant", "acme")
    (line,) = [each for each in listed if each.startswith(token.key)]
    assert line.startswith(f"{token.key} valid acme read+original until=")
    assert line.endswith(" wall")
    assert token.secret not in "\n".join(listed)
    code, told = await run(access.settings, "revoke", token.key)
    assert (code, told) == (0, [f"token {token.key}: revoked; every process refuses it within seconds"])
    began = datetime.now(UTC)
    await becomes(401, access.client, token.text)
    await becomes(401, access.beside, token.text)
    assert datetime.now(UTC) - began < timedelta(seconds=PATIENCE)
    assert (await run(access.settings, "revoke", token.key))[0] == 1
    audited = await access.rows("SELECT action, tenant_id FROM audit_log WHERE subject = $1 ORDER BY id", f"token {token.key}")
    assert audited == [("token created", "acme"), ("token revoked", "acme")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--scope", "read"),
        ("create", "--tenant", "acme"),
        ("create", "--tenant", "acme", "--all-tenants", "--scope", "read"),
        ("create", "--tenant", "a b", "--scope", "read"),
        ("create", "--tenant", "acme", "--scope", "read", "--label", "x" * 129),
        ("revoke",),
        ("revoke", "voc_x"),
    ],
)
async def test_an_order_that_is_not_clear_makes_and_ends_nothing(access: Access, arguments: tuple[str, ...]) -> None:
    before = await access.rows("SELECT key, revoked_at FROM access_token ORDER BY key")
    assert (await run(access.settings, *arguments))[0] == 2
    assert await access.rows("SELECT key, revoked_at FROM access_token ORDER BY key") == before


async def test_no_secret_is_in_the_database(access: Access) -> None:
    await sent(access.client, access.keyring.token())
    session_id = access.client.cookies["voc_session"]
    access.client.cookies.clear()
    rows = await access.rows(
        "SELECT t::text FROM access_token AS t UNION ALL SELECT s::text FROM web_session AS s UNION ALL SELECT a::text FROM audit_log a"
    )
    told = json.dumps(rows)
    assert session_id not in told
    assert [token.key for token in access.keyring.tokens.values() if token.secret in told] == []


async def test_the_last_use_is_written_beside_the_requests_and_once_a_minute(access: Access) -> None:
    token = access.keyring.tokens[TENANT, "operate"]
    assert await status(access.client, token.text) == 404
    await access.desk.credentials._flush()
    ((first,),) = await access.rows("SELECT last_used_at FROM access_token WHERE key = $1", token.key)
    assert first is not None
    await status(access.client, token.text)
    await access.desk.credentials._flush()
    assert await access.rows("SELECT last_used_at FROM access_token WHERE key = $1", token.key) == [(first,)]


async def test_a_session_holds_in_every_process_and_ends_everywhere(access: Access) -> None:
    await sent(access.client, access.keyring.token())
    cookie = {"Cookie": f"voc_session={access.client.cookies['voc_session']}"}
    access.client.cookies.clear()
    assert (await access.beside.get("/nowhere", headers=cookie)).status_code == 404
    await access.desk.credentials.end(cookie["Cookie"].partition("=")[2], "127.0.0.1")
    assert (await access.client.get("/nowhere", headers=cookie)).status_code == 401
    async with asyncio.timeout(PATIENCE):
        while (await access.beside.get("/nowhere", headers=cookie)).status_code != 401:
            await asyncio.sleep(0.1)
    assert [row[:2] for row in await access.rows("SELECT action, host(address) FROM audit_log WHERE subject = 'session' ORDER BY id")][-2:] == [
        ("logged in", "127.0.0.1"), ("logged out", "127.0.0.1"),
    ]  # fmt: skip


async def test_sessions_that_are_over_are_removed(access: Access) -> None:
    await sent(access.client, access.keyring.token("read", "globex"))
    access.client.cookies.clear()
    now = datetime.now(UTC)
    store = SessionStore(access.db)
    await store.purge(expired_before=now, idle_since=now - timedelta(hours=1))
    assert await access.rows("SELECT count(*) FROM web_session WHERE tenant_id = 'globex'") == [(1,)]
    await store.purge(expired_before=now + timedelta(days=1), idle_since=now - timedelta(hours=1))
    assert await access.rows("SELECT count(*) FROM web_session") == [(0,)]


async def test_the_company_s_login_and_its_tokens_are_let_in_and_follow_its_keys(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc_provider, "LEAST_SECONDS", 0.0)
    first = (await access.control(person={"sub": "ann", "tenant_id": "acme", "roles": ["voc.operate"]}))["token"]
    assert await status(access.client, first) == 404
    answer = await gone_there_and_back(access.client, "/desk/calls")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/desk/calls")
    access.client.cookies.clear()
    assert (await access.rows("SELECT actor, tenant_id, scopes, token_key FROM web_session"))[-1] == ("oidc:ann", "acme", ["operate", "read"], None)
    second = (await access.control(rotate="drop"))["token"]
    assert await status(access.client, second) == 404
    assert await status(access.client, first) == 401  # its key was withdrawn
    refused: tuple[dict[str, Any], ...] = ({"aud": "others"}, {"exp": 1}, {"iss": "https://evil.example"}, {"roles": []}, {"tenant_id": ""})
    for wrong in refused:
        assert await status(access.client, (await access.control(claims=wrong))["token"]) == 401
    assert (await gone_there_and_back(access.client)).status_code == 303
    access.client.cookies.clear()


async def test_a_new_password_of_the_database_is_used_for_new_connections(access: Access, tmp_path: Path) -> None:
    dsn = urlsplit(access.settings.postgres_dsn.get_secret_value())
    user, _, place = dsn.netloc.rpartition("@")
    put(tmp_path, postgres_password="not it any more")
    settings = load_settings(secrets_dir=tmp_path, postgres_dsn=dsn._replace(netloc=f"{user.partition(':')[0]}@{place}").geturl())
    db = Database(settings)
    with pytest.raises(OutageError):
        await db.probe()
    put(tmp_path, postgres_password=user.partition(":")[2])
    db.renew(load_settings(secrets_dir=tmp_path))
    await db.probe()
    await db.close()
    again = load_settings(secrets_dir=tmp_path, postgres_dsn=settings.postgres_dsn.get_secret_value())
    assert await asyncio.to_thread(PostgresSchema(again).pending) == []


async def test_a_web_process_takes_up_secrets_that_change(access: Access, tmp_path: Path) -> None:
    put(tmp_path, oidc_client_secret="old")
    desk = Desk.of(access.desk.settings.model_copy(update={"secrets_dir": tmp_path, "oidc_client_secret": SecretStr("old")}))
    async with client_of(make_app(desk)) as client:
        assert (await gone_there_and_back(client)).status_code == 401
        put(tmp_path, oidc_client_secret=SECRET)
        async with asyncio.timeout(PATIENCE):
            while (await gone_there_and_back(client)).status_code != 303:
                await asyncio.sleep(0.2)


async def test_the_database_itself_refuses_a_token_without_scopes_or_digest(access: Access) -> None:
    store = TokenStore(access.db)
    token = access.keyring.tokens[TENANT, "read"]
    until = datetime.now(UTC) + timedelta(days=1)
    for scopes in ([], ["root"]):
        with pytest.raises(RejectedError):
            await store.add(token, tenant_id=None, scopes=scopes, expires_at=until, label="", actor="cli:test")
    assert credentials.FRESH_SECONDS <= 5
