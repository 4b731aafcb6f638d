"""Callers, as routes see them, and what is written of what they do."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import FastAPI, Request
from fastapi.params import Query

from tests.web_desk import UnitDesk, client_of, unit_desk
from voc_stream.web import problems
from voc_stream.web.problems import NotFound, Problem
from voc_stream.web.who import Admin, Caller, Operator, Reader, Seer, address_of, audit, still

ACME = Caller("token:k", "acme", frozenset({"read"}))
ALL = Caller("token:k", None, frozenset({"read"}))


def app_of(made: UnitDesk) -> FastAPI:
    """Return an application of one's own on a desk: a route for each scope, and some that audit."""
    app = FastAPI()
    app.state.desk = made.desk
    problems.install(app)

    @app.get("/read")
    async def read(caller: Reader) -> str:
        return caller.actor

    @app.get("/original")
    async def original(caller: Seer) -> str:
        return caller.actor

    @app.get("/operate")
    async def operate(caller: Operator) -> str:
        return caller.actor

    @app.get("/admin")
    async def admin(caller: Admin) -> str:
        return caller.actor

    @app.get("/heard/{call_id}")
    async def heard(request: Request, caller: Reader, call_id: str, once: Annotated[float, Query()] = 0.0) -> bool:
        await audit(request, caller, "recording heard", {"range": "0-1"}, once_in=once, subject=f"call {call_id}" if call_id == "c2" else None)
        return await still(request, caller)

    return app


@pytest.mark.parametrize(
    ("scope", "open_to"),
    [("read", {"read"}), ("original", {"read", "original"}), ("operate", {"read", "operate"}), ("admin", {"read", "original", "operate", "admin"})],
)
async def test_a_scope_opens_what_it_includes_and_nothing_else(scope: str, open_to: set[str]) -> None:
    made = unit_desk()
    async with client_of(app_of(made)) as client:
        answers = {path: await client.get(f"/{path}", headers=made.keyring.headers(scope)) for path in ("read", "original", "operate", "admin")}
    assert {path: answer.status_code for path, answer in answers.items()} == {path: 200 if path in open_to else 403 for path in answers}
    assert answers["read"].json() == f"token:{made.keyring.tokens['acme', scope].key}"


def test_a_caller_of_one_tenant_asks_about_that_one_and_of_all_must_say_which() -> None:
    assert ACME.tenant(None) == ACME.tenant("acme") == "acme"
    assert ALL.tenant("globex") == "globex"
    with pytest.raises(NotFound):
        ACME.tenant("globex")
    with pytest.raises(Problem, match="tenant_id is needed") as caught:
        ALL.tenant(None)
    assert caught.value.status == 422


async def test_what_is_read_is_audited_with_who_what_whose_and_where_from() -> None:
    made = unit_desk()
    async with client_of(app_of(made)) as client:
        for call_id in ("c1", "c2"):
            assert (await client.get(f"/heard/{call_id}", headers=made.keyring.headers())).json() is True
    actor = f"token:{made.keyring.tokens['acme', 'read'].key}"
    assert made.db.audited == [
        (actor, "recording heard", "GET /heard/c1", "acme", None, '{"range":"0-1"}', "127.0.0.1"),
        (actor, "recording heard", "call c2", "acme", None, '{"range":"0-1"}', "127.0.0.1"),
    ]


async def test_what_need_be_told_once_is_told_once_of_each_who_and_what() -> None:
    made = unit_desk()
    async with client_of(app_of(made)) as client:
        for headers in (made.keyring.headers(), made.keyring.headers("admin")):
            for call_id in ("c1", "c1", "c3", "c1"):
                await client.get(f"/heard/{call_id}", params={"once": 60}, headers=headers)
    assert [row[2] for row in made.db.audited] == ["GET /heard/c1", "GET /heard/c3"] * 2


async def test_a_long_answer_learns_that_its_credential_ended() -> None:
    made = unit_desk()
    token = made.keyring.tokens["acme", "read"]
    headers = {"Authorization": f"Bearer {token.text}"}
    async with client_of(app_of(made)) as client:
        assert (await client.get("/heard/c1", headers=headers)).json() is True
    request = Request({"type": "http", "headers": [(b"authorization", headers["Authorization"].encode())], "app": app_of(made)})
    caller = Caller(f"token:{token.key}", "acme", frozenset({"read"}))
    assert await still(request, caller)
    await made.desk.credentials.revoke(token.key, "cli:ann", tenant_id=None, address=None)
    assert not await still(request, caller)


@pytest.mark.parametrize(
    ("client", "address"), [(("10.1.2.3", 5), "10.1.2.3"), (("fe80::1%eth0", 5), "fe80::1"), (("testclient", 5), None), (None, None)]
)
def test_an_address_that_is_none_is_not_noted(client: tuple[str, int] | None, address: str | None) -> None:
    assert address_of(Request({"type": "http", "headers": [], "client": client})) == address
