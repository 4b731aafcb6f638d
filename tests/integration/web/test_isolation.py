"""No route shows, changes or betrays what is another tenant's: every one there is, with the strongest credential of one tenant."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute, iter_route_contexts

from tests.integration.clients.test_dead_letter_store import letter
from tests.integration.web.reading_world import World
from tests.web_desk import OTHER, TENANT, unit_desk
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import LetterFilter
from voc_stream.clients.pause_store import PauseStore
from voc_stream.devstack.stack import Stack
from voc_stream.security.vault import Vault
from voc_stream.web.app import make_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

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
    """Two tenants beside each other."""

    world: World
    mine: Ids
    others: Ids

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask with all that one tenant may have."""
        return await self.world.client.request(method, path, headers=self.world.keyring.headers("admin"), **more)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(world: World, stack: Stack) -> AsyncIterator[Two]:
    """Both tenants have calls (`world`), a dead letter, an order to pause, and tokens."""
    assert stack
    vault = Vault({"k1": b"\1" * 32}, "k1")
    letters = DeadLetters(world.db, vault)
    now = datetime.now(UTC)
    times = {"written_at": now, "first_failed_at": now, "last_failed_at": now + timedelta(seconds=1)}
    await letters.put([letter(1, call_id="c1", **times), letter(2, tenant_id=OTHER, call_id="g1", fingerprint=MARKS[2], reason=MARKS[3], **times)])
    found = {row.tenant_id: str(row.id) for row in await letters.find(LetterFilter(), 10)}
    await PauseStore(world.db).order("score", OTHER, "cli:ann", paused=True, reason=MARKS[3])
    keys = {tenant: world.keyring.tokens[tenant, "read"].key for tenant in (TENANT, OTHER)}
    async with world.db.connection() as connection:
        await connection.execute("UPDATE call SET agent_id = 'gina' WHERE tenant_id = $1", OTHER)
    yield Two(world, Ids(TENANT, "c1", "anna", found[TENANT], keys[TENANT]), Ids(OTHER, "g1", "gina", found[OTHER], keys[OTHER]))


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


async def test_who_is_of_all_tenants_sees_both(two: Two) -> None:
    for ids in (two.mine, two.others):
        headers = two.world.keyring.headers("read", "")
        answer = await two.world.client.get(f"/calls/{ids.call_id}", params={"tenant_id": ids.tenant_id}, headers=headers)
        assert answer.status_code == 200
        wrong = await two.world.client.get(f"/calls/{two.others.call_id}", params={"tenant_id": TENANT}, headers=headers)
        assert wrong.status_code == 404
