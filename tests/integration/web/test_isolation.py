"""No route shows, changes or betrays what is another tenant's: every one there is, with the strongest credential of one tenant."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute, iter_route_contexts
from psycopg import sql
from pydantic import SecretStr

from tests.integration.clients.test_dead_letter_store import letter
from tests.integration.web.conftest import Front
from tests.integration.web.reading_world import World
from tests.unit.web.test_login import sent
from tests.web_desk import OTHER, TENANT, served, unit_desk, web_settings
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import LetterFilter
from voc_stream.clients.pause_store import PauseStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.token_store import TokenStore
from voc_stream.devstack.stack import Stack
from voc_stream.errors import OutageError
from voc_stream.security.vault import Vault
from voc_stream.settings import Settings
from voc_stream.web.app import make_app
from voc_stream.web.desk import Desk
from voc_stream.web.last_use import LastUse

pytestmark = pytest.mark.asyncio(loop_scope="package")

RIGHTS = Path(__file__).parents[3] / "deploy" / "postgres" / "people-side.sql"
# What only another tenant's data hold; none of it may be in any answer.
MARKS = ("globex", "g1", "other-fingerprint", "secret-stage-reason")
# Open to all, alike for all, or without an end.
APART = {
    "/healthz", "/readyz", "/login", "/login/oidc", "/login/return", "/logout", "/openapi.json", "/docs", "/docs.css", "/desk/look", "/desk/reader",
    "/desk/live",
}  # fmt: skip
# Needed by these, whatever they are asked about.
QUERIES = {"/search": {"q": "refund"}, "/desk/letters/act": {"fingerprint": "f1"}}
# Of all tenants together: closed to those of one.
EVERYBODYS = {"/metrics"}


@dataclass(frozen=True, slots=True)
class Ids:
    """What stands for the parts of a path, of one tenant."""

    tenant_id: str
    call_id: str
    agent_id: str
    letter_id: str
    key: str

    def path(self, template: str) -> str:
        """Fill in a path."""
        for name in ("tenant_id", "call_id", "agent_id", "letter_id", "key"):
            template = template.replace(f"{{{name}}}", getattr(self, name))
        assert "{" not in template, f"say in Ids what stands for the parts of {template}"
        return template


@dataclass(frozen=True, slots=True)
class Two:
    """Two tenants beside each other.

    Attributes:
        client: of an application whose database role has the rights of deploy/postgres/people-side.sql, and no more.
        role: that role's own settings.
    """

    world: World
    client: httpx.AsyncClient
    role: Settings
    mine: Ids
    others: Ids

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask with all that one tenant may have."""
        return await self.client.request(method, path, headers=self.world.keyring.headers("admin"), **more)


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def two(front: Front, stack: Stack) -> AsyncIterator[Two]:
    """Both tenants have calls (`front`), a dead letter, an order to pause, and tokens; what the world did not have is taken away again."""
    world = front.world
    vault = Vault(front.settings.encryption_keys, front.settings.pii_key_id)
    letters = DeadLetters(world.db, vault)
    now = datetime.now(UTC)
    times = {"written_at": now, "first_failed_at": now, "last_failed_at": now + timedelta(seconds=1)}
    await letters.put([letter(1, call_id="c1", **times), letter(2, tenant_id=OTHER, call_id="g1", fingerprint=MARKS[2], reason=MARKS[3], **times)])
    found = {row.tenant_id: str(row.id) for row in await letters.find(LetterFilter(), 10)}
    await PauseStore(world.db).order("score", OTHER, "cli:ann", paused=True, reason=MARKS[3])
    keys = {tenant: world.keyring.tokens[tenant, "read"].key for tenant in (TENANT, OTHER)}
    async with world.db.connection() as connection:
        await connection.execute("UPDATE call SET agent_id = 'gina' WHERE tenant_id = $1", OTHER)
    mine, others = Ids(TENANT, "c1", "anna", found[TENANT], keys[TENANT]), Ids(OTHER, "g1", "gina", found[OTHER], keys[OTHER])
    with role_of_the_web(stack, front.settings) as role:
        async with served(Desk.of(web_settings(role))) as client:
            yield Two(world, client, role, mine, others)
    async with world.db.connection() as connection:
        await connection.execute("UPDATE call SET agent_id = 'anna' WHERE tenant_id = $1", OTHER)
        await connection.execute("DELETE FROM dead_letter WHERE id = ANY($1::bigint[])", [int(each.letter_id) for each in (mine, others)])
        await connection.execute("DELETE FROM pause")


@contextmanager
def role_of_the_web(stack: Stack, settings: Settings) -> Iterator[Settings]:
    """Lend the settings of a role that was made as deploy/postgres/people-side.sql says."""
    owner = urlsplit(settings.postgres_url)
    (schema,) = re.findall(r"search_path%3D(\w+)", owner.query)
    password = json.loads((stack.folder / "secrets.json").read_text())["postgres_admin"]
    name = f"web_{uuid.uuid4().hex}"
    role, own = sql.Identifier(name), sql.Identifier(schema)
    with psycopg.connect(host=owner.hostname, port=owner.port, dbname=owner.path[1:], user="postgres", password=password, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(name)))
        try:
            with psycopg.connect(urlunsplit(owner), autocommit=True) as session:
                session.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(own, role))
                session.execute(RIGHTS.read_text().replace("voc_web", name).encode())
            told = owner._replace(netloc=f"{name}:{name}@{owner.hostname}:{owner.port}")
            yield settings.model_copy(update={"postgres_dsn": SecretStr(urlunsplit(told))})
        finally:
            admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


def routes(*methods: str) -> list[tuple[str, str]]:
    found = []
    for context in iter_route_contexts(make_app(unit_desk().desk).routes):
        path = str(context.path_format)
        if isinstance(context.original_route, APIRoute) and path not in APART:
            found += [(method, path) for method in context.methods or () if method in methods]
    return sorted(found)


@pytest.mark.parametrize(("method", "path"), routes("GET", "HEAD"))
async def test_what_is_read_is_one_s_own(two: Two, method: str, path: str) -> None:
    query = QUERIES.get(path, {})
    own = await two.ask(method, two.mine.path(path), params=query)
    assert own.status_code in ({403, 404} if path in EVERYBODYS else {200}), own.text
    assert [mark for mark in MARKS if mark in own.text] == []
    named = await two.ask(method, two.mine.path(path), params={**query, "tenant_id": OTHER})
    if own.status_code == 200 and "{tenant_id}" not in path:
        # A page that knows no such question shows what it shows; all others say that there is nothing.
        assert named.status_code in {404, 422} or (named.status_code == 200 and _unmarked(named))
    if "{" in path:
        theirs = await two.ask(method, two.others.path(path), params=query)
        assert theirs.status_code == 404
        assert [mark for mark in MARKS if mark in theirs.text.replace(two.others.path(path), "")] == []


def _unmarked(answer: httpx.Response) -> bool:
    """Whether a page tells nothing of the others but the address that it was asked by."""
    return not [mark for mark in MARKS[1:] if mark in answer.text]


# What would change something of the other tenant's. A route that changes something and is not here fails the test below.
CHANGES: dict[str, list[dict[str, Any]]] = {
    "/dlq/discard": [{"json": {"ids": ["letter_id"]}}, {"json": {"tenant_id": OTHER}}, {"json": {"fingerprint": MARKS[2]}}],
    "/dlq/requeue": [{"json": {"ids": ["letter_id"]}}, {"json": {"tenant_id": OTHER}}, {"json": {"fingerprint": MARKS[2]}}],
    "/dlq/dry-run": [{"json": {"ids": ["letter_id"]}}, {"json": {"tenant_id": OTHER}}, {"json": {"fingerprint": MARKS[2]}}],
    "/pauses": [
        {"json": {"action": "resume", "stage": "score", "tenant_id": OTHER}},
        {"json": {"action": "pause", "tenant_id": OTHER}},
        {"json": {"action": "pause", "stage": "score"}},
    ],
    "/desk/letters/try": [{"data": {"fingerprint": MARKS[2]}}, {"data": {"tenant_id": OTHER}}],
    "/desk/letters/send": [{"data": {"fingerprint": MARKS[2], "sure": "yes"}}, {"data": {"tenant_id": OTHER, "sure": "yes"}}],
    "/desk/letters/discard": [{"data": {"fingerprint": MARKS[2], "sure": "yes"}}, {"data": {"tenant_id": OTHER, "sure": "yes"}}],
    "/desk/pausing": [{"data": {"action": "resume", "stage": "score", "tenant_id": OTHER}}, {"data": {"action": "pause", "stage": "score"}}],
    "/desk/access": [{"data": {"label": "x", "scopes": "read", "whose": OTHER, "days": "1"}}],
    "/desk/access/{key}/revoke": [{}],
}


async def _theirs(two: Two) -> list[Any]:
    """Return all that the other tenant has and others might change."""
    async with two.world.db.connection() as connection:
        rows = [
            await connection.fetch("SELECT id, state, requeues FROM dead_letter WHERE tenant_id = $1", OTHER),
            await connection.fetch("SELECT stage, tenant_id, paused, changed_at FROM pause"),
            await connection.fetch("SELECT key, revoked_at, expires_at FROM access_token WHERE tenant_id IS DISTINCT FROM $1 ORDER BY key", TENANT),
            await connection.fetch("SELECT id FROM audit_log WHERE tenant_id = $1 ORDER BY id", OTHER),
        ]
    return [tuple(row) for part in rows for row in part]


@pytest.mark.parametrize(("method", "path"), routes("POST", "PUT", "PATCH", "DELETE"))
async def test_nobody_changes_what_is_another_tenant_s(two: Two, method: str, path: str) -> None:
    before = await _theirs(two)
    for body in CHANGES[path]:
        filled = json.loads(json.dumps(body).replace('["letter_id"]', f"[{two.others.letter_id}]"))
        answer = await two.ask(method, two.others.path(path), **filled)
        if body or "{" in path:
            told = answer.text.replace(OTHER, "") if "tenant_id" in str(body) or "whose" in str(body) else answer.text
            assert answer.status_code in {200, 403, 404, 409, 422}, answer.text
            assert answer.status_code != 200 or OTHER not in json.dumps(body)
            assert [mark for mark in MARKS[1:2] + MARKS[3:] if mark in told] == []
    assert await _theirs(two) == before


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT FROM customer_pii",
        "UPDATE call SET tenant_id = 'acme'",
        "DELETE FROM call",
        "UPDATE scoring_result SET score = 100",
        "SELECT FROM audit_log",
        "UPDATE access_token SET scopes = '{admin}'",
        "UPDATE web_session SET scopes = '{admin}'",
        "CREATE TABLE mine (id int)",
    ],
)
async def test_the_role_of_the_web_has_no_right_that_it_does_not_need(two: Two, statement: str) -> None:
    db = Database(two.role)
    with pytest.raises(OutageError, match="denies our user a right"):
        async with db.connection() as connection:
            await connection.execute(statement)
    await db.close()


async def test_the_role_of_the_web_serves_logins_tokens_pauses_and_letters(two: Two) -> None:
    headers = two.world.keyring.headers("admin", "")
    assert (await two.client.get("/readyz")).status_code == 200
    assert (await sent(two.client, two.world.keyring.token())).status_code == 303
    two.client.cookies.clear()
    made = await two.client.post("/desk/access", data={"label": "x", "scopes": "read", "whose": TENANT, "days": "1"}, headers=headers)
    assert made.status_code == 200
    assert (await two.client.post("/pauses", json={"action": "pause", "tenant_id": TENANT}, headers=headers)).status_code == 200
    assert (await two.client.post("/pauses", json={"action": "resume", "tenant_id": TENANT}, headers=headers)).status_code == 200
    done = await two.client.post("/dlq/discard", json={"ids": [int(two.mine.letter_id)]}, headers=headers)
    assert (done.status_code, done.json()) == (200, {"discarded": 1})
    db = Database(two.role)
    used = LastUse(TokenStore(db).used)
    used.note(two.mine.key)
    await used.flush()
    await db.close()
    assert not used._waiting


async def test_who_is_of_all_tenants_sees_both(two: Two) -> None:
    for ids in (two.mine, two.others):
        headers = two.world.keyring.headers("read", "")
        answer = await two.world.client.get(f"/calls/{ids.call_id}", params={"tenant_id": ids.tenant_id}, headers=headers)
        assert answer.status_code == 200
        wrong = await two.world.client.get(f"/calls/{two.others.call_id}", params={"tenant_id": TENANT}, headers=headers)
        assert wrong.status_code == 404
