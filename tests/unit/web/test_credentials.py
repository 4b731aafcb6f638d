"""Who is let in, and why somebody is not."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from tests.fakes.access import FakeSessions, FakeTokens
from voc_stream.errors import OutageError
from voc_stream.security.grants import Refusal, RefusedError
from voc_stream.security.tokens import new_token
from voc_stream.settings import load_settings
from voc_stream.web import credentials as module
from voc_stream.web.credentials import MOST_CHARACTERS, Credentials, Proven

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


class World:
    def __init__(self, **settings: Any) -> None:
        self.now = NOW
        self.tokens = FakeTokens()
        self.sessions = FakeSessions(self.tokens)
        self.credentials = Credentials(self.tokens, self.sessions, load_settings(**settings), lambda: self.now)

    async def of(self, *authorization: str, cookie: str | None = None) -> Proven:
        headers = [(b"authorization", each.encode("latin-1")) for each in authorization]
        if cookie is not None:
            headers.append((b"cookie", cookie.encode()))
        return await self.credentials.of(HTTPConnection({"type": "http", "headers": headers}))

    async def reason(self, *authorization: str, cookie: str | None = None) -> Refusal:
        with pytest.raises(RefusedError) as caught:
            await self.of(*authorization, cookie=cookie)
        return caught.value.reason

    def give(self, *scopes: str, tenant: str | None = "acme", days: float = 1) -> Any:
        return self.tokens.give(tenant, scopes or ("read",), expires_at=NOW + timedelta(days=days))


async def test_a_token_says_whose_it_is_and_what_it_may_do() -> None:
    world = World()
    token = world.give("operate")
    proven = await world.of(f"Bearer {token.text}")
    assert (proven.grant.actor, proven.grant.tenant_id, proven.grant.scopes) == (f"token:{token.key}", "acme", frozenset({"operate", "read"}))
    assert (await world.of(f"bearer  {world.give(tenant=None).text}")).grant.tenant_id is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], Refusal.NONE),
        (["Bearer "], Refusal.NO_OIDC),
        (["Bearer voc_x"], Refusal.MALFORMED),
        (["Bearer voc_" + "é" * 39], Refusal.MALFORMED),
        (["Basic dm9jOnZvYw=="], Refusal.MALFORMED),
        ([""], Refusal.MALFORMED),
        (["Bearer eyJhbGciOiJub25lIn0.e30."], Refusal.NO_OIDC),
        (["Bearer " + "x" * MOST_CHARACTERS], Refusal.TOO_LONG),
        (["Bearer " + new_token().text], Refusal.UNKNOWN),
        (["Bearer " + new_token().text] * 2, Refusal.MALFORMED),
    ],
)
async def test_what_is_no_credential_of_ours_is_refused(given: list[str], reason: Refusal) -> None:
    assert await World().reason(*given) is reason


async def test_a_header_that_is_too_long_is_not_looked_at() -> None:
    world = World()
    token = world.give()
    assert await world.reason(f"Bearer {token.text}" + " " * MOST_CHARACTERS) is Refusal.TOO_LONG
    assert world.tokens.looked_up == 0


async def test_a_wrong_secret_is_refused_and_an_authorization_is_not_helped_by_a_cookie() -> None:
    world = World()
    token = world.give()
    session_id = await world.credentials.begin(await world.of(f"Bearer {token.text}"), None)
    wrong = f"Bearer voc_{token.key}.{secrets.token_urlsafe(16)}"
    assert await world.reason(wrong) is Refusal.SECRET
    assert await world.reason(wrong, cookie=f"voc_session={session_id}") is Refusal.SECRET


async def test_a_token_ends_at_its_time() -> None:
    world = World()
    token = world.give()
    assert await world.of(f"Bearer {token.text}")
    world.now += timedelta(days=1)
    assert await world.reason(f"Bearer {token.text}") is Refusal.EXPIRED


async def test_a_revocation_is_seen_at_once_where_it_is_made_and_elsewhere_when_what_is_remembered_is_too_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    here, elsewhere = world.give(), world.give()
    for token in (here, elsewhere):
        await world.of(f"Bearer {token.text}")
    assert await world.credentials.revoke(here.key, "cli:ann", tenant_id=None, address=None)
    assert await world.reason(f"Bearer {here.text}") is Refusal.REVOKED
    await world.tokens.revoke(elsewhere.key, "cli:ann")
    assert await world.of(f"Bearer {elsewhere.text}")
    monkeypatch.setattr(world.credentials._known_tokens, "_seconds", 0)
    assert await world.reason(f"Bearer {elsewhere.text}") is Refusal.REVOKED
    assert module.FRESH_SECONDS <= 5


async def test_requests_cost_one_look_up_while_it_is_fresh() -> None:
    world = World()
    token = world.give()
    for _ in range(100):
        await world.of(f"Bearer {token.text}")
    assert world.tokens.looked_up == 1


async def test_the_last_use_is_written_beside_the_requests() -> None:
    world = World()
    token = world.give()
    await world.of(f"Bearer {token.text}")
    assert world.tokens.rows[token.key].last_used_at is None
    await world.credentials._flush()
    assert world.tokens.rows[token.key].last_used_at == NOW


async def test_a_session_is_who_logged_in_and_is_found_by_its_digest_only() -> None:
    world = World()
    token = world.give("read")
    session_id = await world.credentials.begin(await world.of(f"Bearer {token.text}"), "127.0.0.1")
    assert session_id.encode() not in b"".join(world.sessions.rows)
    proven = await world.of(cookie=f"voc_session={session_id}")
    assert (proven.grant.actor, proven.grant.tenant_id, proven.session_id) == (f"token:{token.key}", "acme", session_id)


@pytest.mark.parametrize("cookie", ["voc_session=", "voc_session=x", "voc_session=" + "x" * 5000, "voc_session=" + "é" * 43])
async def test_a_cookie_that_is_no_session_id_is_not_looked_up(cookie: str) -> None:
    world = World()
    assert await world.reason(cookie=cookie) in {Refusal.MALFORMED, Refusal.NONE}


async def test_a_session_ends_when_it_is_idle_when_it_is_old_and_when_somebody_logs_out() -> None:
    world = World(session_idle_seconds=600, session_seconds=3600)
    proven = await world.of(f"Bearer {world.give().text}")
    session_id = await world.credentials.begin(proven, None)
    cookie = f"voc_session={session_id}"
    ((digest, (row, key)),) = world.sessions.rows.items()
    world.sessions.rows[digest] = (_seen(row, NOW), key)
    for minutes in range(9, 60, 9):
        world.now = NOW + timedelta(minutes=minutes)
        assert await world.of(cookie=cookie)
        await world.credentials._flush()
        world.credentials._known_sessions.forget(digest)
    world.now = NOW + timedelta(minutes=65)
    assert await world.reason(cookie=cookie) is Refusal.EXPIRED
    world.now = NOW
    other = await world.credentials.begin(proven, None)
    await world.credentials.end(other, None)
    assert await world.reason(cookie=f"voc_session={other}") is Refusal.UNKNOWN


async def test_a_session_nobody_used_is_idle() -> None:
    world = World(session_idle_seconds=600)
    session_id = await world.credentials.begin(await world.of(f"Bearer {world.give().text}"), None)
    ((digest, (row, key)),) = world.sessions.rows.items()
    world.sessions.rows[digest] = (_seen(row, NOW - timedelta(minutes=10)), key)
    assert await world.reason(cookie=f"voc_session={session_id}") is Refusal.IDLE


async def test_a_session_ends_with_its_token() -> None:
    world = World()
    token = world.give()
    session_id = await world.credentials.begin(await world.of(f"Bearer {token.text}"), None)
    await world.tokens.revoke(token.key, "cli:ann")
    assert await world.reason(cookie=f"voc_session={session_id}") is Refusal.REVOKED


async def test_while_postgres_is_down_nobody_is_told_that_the_credential_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    token = world.give()

    async def down(_key: str) -> None:
        raise OutageError("postgres", "down")

    monkeypatch.setattr(world.credentials._known_tokens, "_load", down)
    with pytest.raises(OutageError):
        await world.of(f"Bearer {token.text}")


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[World]:
    await world.credentials.open()
    try:
        yield world
    finally:
        await world.credentials.close()


async def test_what_is_not_written_yet_is_written_at_the_end() -> None:
    async with opened(World()) as world:
        token = world.give()
        await world.of(f"Bearer {token.text}")
    assert world.tokens.rows[token.key].last_used_at == NOW


def _seen(row: Any, at: datetime) -> Any:
    return type(row)(**{name: getattr(row, name) for name in row.__slots__} | {"last_seen_at": at})
