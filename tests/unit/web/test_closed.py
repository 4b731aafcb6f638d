"""Every route is closed but for those that are open by name; what is no credential gets nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import Mount

from tests.web_desk import UnitDesk, client_of, unit_desk
from voc_stream.web.admission import OPEN
from voc_stream.web.app import make_app
from voc_stream.web.who import admitted

# Whoever adds a route here says that everybody may see it.
OPEN_ROUTES = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/login/oidc"),
    ("GET", "/login/return"),
}
OPEN_MOUNTS = {"/static"}


def contexts() -> Iterator[RouteContext]:
    return iter_route_contexts(make_app(unit_desk().desk).routes)


def closed() -> list[tuple[str, str]]:
    """Return method and path of every route that is not open; parts of a path are filled in."""
    found = []
    for context in contexts():
        if isinstance(context.original_route, APIRoute):
            path = str(context.path_format).replace("{letter_id}", "1")
            found += [(method, path) for method in context.methods or () if (method, path) not in OPEN_ROUTES]
    return sorted(found)


def test_every_route_asks_who_is_asking_but_those_that_are_open_by_name() -> None:
    seen = set()
    for context in contexts():
        route = context.original_route
        if isinstance(route, Mount):
            assert route.path in OPEN_MOUNTS
            continue
        assert isinstance(route, APIRoute), f"a route of another kind is not known to be closed: {route}"
        for method in context.methods or ():
            seen.add((method, context.path_format))
            asks = _asks(context.dependant)
            assert asks is ((method, context.path_format) not in OPEN_ROUTES), (
                f"{method} {context.path_format} must take a Reader, Seer, Operator or Admin"
            )
    assert seen >= OPEN_ROUTES


def test_what_is_open_by_name_is_open_by_path_and_nothing_else_is() -> None:
    assert {path for _, path in OPEN_ROUTES} | OPEN_MOUNTS == {*OPEN, "/login/oidc", "/login/return"}


def _asks(dependant: object) -> bool:
    dependencies = getattr(dependant, "dependencies", [])
    return any(each.call is admitted or _asks(each) for each in dependencies)


@pytest.fixture(scope="module")
def refused_by_all() -> list[tuple[str, str, str, int, str | None]]:
    """What every closed route answered to every credential that is none: method, path, which, status, challenge."""
    return asyncio.run(_asked_of_all())


async def _asked_of_all() -> list[tuple[str, str, str, int, str | None]]:
    made = unit_desk()
    wrong = await _no_credentials(made)
    answers = []
    async with client_of(make_app(made.desk)) as client:
        for method, path in closed():
            for name, headers in wrong.items():
                answer = await client.request(method, path, headers=headers, content=b"{ this is no JSON" if method == "POST" else None)
                answers.append((method, path, name, answer.status_code, answer.headers.get("WWW-Authenticate")))
    return answers


async def _no_credentials(made: UnitDesk) -> dict[str, dict[str, str]]:
    made.desk.rates._guesses = type(made.desk.rates._guesses)(1_000_000, namespace="guesses")
    expired = made.tokens.give("acme", ["admin"], expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    revoked = made.tokens.give("acme", ["admin"])
    await made.tokens.revoke(revoked.key, "cli:ann")
    return {
        "none": {},
        "malformed": {"Authorization": "Bearer voc_half"},
        "basic": {"Authorization": "Basic dm9jOnZvYw=="},
        "unsigned": {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."},
        "expired": {"Authorization": f"Bearer {expired.text}"},
        "revoked": {"Authorization": f"Bearer {revoked.text}"},
        "session": {"Cookie": f"voc_session={'x' * 43}"},
    }


def test_what_is_no_credential_gets_401_of_every_route_before_its_body_is_looked_at(
    refused_by_all: list[tuple[str, str, str, int, str | None]],
) -> None:
    assert len(refused_by_all) > 100
    assert [answer for answer in refused_by_all if answer[3:] != (401, 'Bearer realm="voc-stream"')] == []


async def test_a_path_that_is_not_there_is_nobody_s_business_either() -> None:
    made = unit_desk()
    async with client_of(make_app(made.desk)) as client:
        assert [(await client.get(path)).status_code for path in ("/nowhere", "/Login", "/loginx", "/healthz2", "//login", "/%6cogin/../dlq")] == [
            401
        ] * 6
        assert (await client.get("/nowhere", headers=made.keyring.headers())).status_code == 404


async def test_a_token_in_the_url_is_not_looked_at() -> None:
    made = unit_desk()
    token = made.keyring.token("admin", "")
    async with client_of(make_app(made.desk)) as client:
        for name in ("token", "access_token", "authorization"):
            assert (await client.get("/pauses", params={name: token})).status_code == 401


async def test_the_scope_that_is_missing_is_403_on_every_route_and_says_which() -> None:
    made = unit_desk()
    async with client_of(make_app(made.desk)) as client:
        for context in contexts():
            if isinstance(context.original_route, APIRoute) and "operate" in _scopes(context.dependant):
                for method in context.methods or ():
                    answer = await client.request(method, str(context.path_format).replace("{letter_id}", "1"), headers=made.keyring.headers("read"))
                    assert answer.status_code in {403, 422}, (method, context.path_format)  # 422: the body comes first where it is none
                    if method == "GET":
                        assert answer.json()["detail"] == "the scope operate is needed"


def _scopes(dependant: object) -> set[str]:
    """Return what a route asks for."""
    found = {scope for each in getattr(dependant, "dependencies", []) for scope in _scopes(each)}
    return found | set(getattr(dependant, "own_oauth_scopes", None) or ()) | set(getattr(dependant, "oauth_scopes", None) or ())


async def test_somebody_who_guesses_is_told_to_wait_and_who_has_a_token_at_the_same_address_is_not() -> None:
    made = unit_desk()
    async with client_of(make_app(made.desk)) as client:
        answers = [
            (await client.get("/pauses", headers={"Authorization": "Bearer voc_half"})) for _ in range(made.desk.settings.http_wrong_credentials + 5)
        ]
        assert {answer.status_code for answer in answers} == {401, 429}
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert (await client.get("/nowhere", headers=made.keyring.headers())).status_code == 404


async def test_a_browser_without_a_session_is_led_to_the_login_and_a_program_is_not() -> None:
    made = unit_desk()
    browser = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate"}
    async with client_of(make_app(made.desk)) as client:
        led = await client.get("/desk/calls?score_to=50", headers=browser)
        assert (led.status_code, led.headers["Location"]) == (303, "/login?next=%2Fdesk%2Fcalls%3Fscore_to%3D50")
        assert (await client.get("/", headers=browser)).headers["Location"] == "/login"
        assert (await client.get("/calls", headers=browser | {"Sec-Fetch-Mode": "cors"})).status_code == 401
        assert (await client.post("/dlq/discard", headers=browser)).status_code == 401
        assert (await client.get("/calls", headers=browser | {"Authorization": "Bearer x"})).status_code == 401


async def test_the_answer_does_not_tell_why_and_the_metric_does(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    made = unit_desk()
    revoked = made.tokens.give("acme", ["read"])
    await made.tokens.revoke(revoked.key, "cli:ann")
    async with client_of(make_app(made.desk)) as client:
        before = await _count(client, made, "revoked")
        answer = await client.get("/calls", headers={"Authorization": f"Bearer {revoked.text}"})
        assert answer.json() == {"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "the credential is not accepted"}
        assert await _count(client, made, "revoked") == before + 1
    told = caplog.text + "".join(capsys.readouterr())
    assert revoked.secret not in told


async def _count(client: httpx.AsyncClient, made: UnitDesk, reason: str) -> float:
    text = (await client.get("/metrics", headers=made.keyring.headers("operate", ""))).text
    lines = [line for line in text.splitlines() if line.startswith(f'voc_credentials_refused_total{{reason="{reason}"}}')]
    return float(lines[0].split()[-1]) if lines else 0.0
