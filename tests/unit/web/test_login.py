"""Logging in and out with a browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from aiohttp.test_utils import TestServer
from starlette.requests import HTTPConnection

from tests.identity_provider import SECRET, IdentityProvider
from tests.web_desk import UnitDesk, client_of, unit_desk
from voc_stream.clients import oidc_provider
from voc_stream.web.app import make_app
from voc_stream.web.who import csrf_token

RETURN = "http://localhost/login/return"


def form_token(page: httpx.Response) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


async def sent(client: httpx.AsyncClient, token: str, wanted: str = "/") -> httpx.Response:
    """Fill in the form, as a person does."""
    page = await client.get("/login", params={"next": wanted})
    assert page.status_code == 200
    return await client.post("/login", data={"token": token, "csrf_token": form_token(page)})


def cookie_of(answer: httpx.Response, name: str) -> str:
    """Return the line that sets a cookie."""
    (line,) = [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{name}=")]
    return line


def csrf_of(client: httpx.AsyncClient) -> str:
    """Return what the session's pages say; those that are there without a database have no form."""
    scope: dict[str, Any] = {"type": "http", "headers": []}
    connection = HTTPConnection(scope)
    connection.state.session_id = client.cookies["voc_session"]
    return csrf_token(connection)


@asynccontextmanager
async def browsers(made: UnitDesk | None = None) -> AsyncIterator[tuple[UnitDesk, httpx.AsyncClient]]:
    made = made or unit_desk()
    async with client_of(make_app(made.desk)) as client:
        yield made, client


async def test_a_token_begins_a_session_that_no_script_and_no_other_site_can_use() -> None:
    async with browsers() as (made, client):
        answer = await sent(client, f" {made.keyring.token()} ", "/desk/calls?score_to=50")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/desk/calls?score_to=50")
        assert re.fullmatch(r"voc_session=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=lax", cookie_of(answer, "voc_session"))
        assert (await client.get("/nowhere")).status_code == 404  # who is not logged in gets 401


async def test_where_browsers_come_by_tls_the_cookie_is_bound_to_the_host() -> None:
    made = unit_desk(app_env="stg", pii_keys="k1:" + "A" * 43 + "=", pii_key_id="k1")
    async with browsers(made) as (_, client):
        page = await client.get("/login")
        assert re.match(r"__Host-voc_login=.*; HttpOnly; Max-Age=600; Path=/; SameSite=lax; Secure$", cookie_of(page, "__Host-voc_login"))


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\r\nX: y", ""])
async def test_nobody_is_led_elsewhere_by_a_login(wanted: str) -> None:
    async with browsers() as (made, client):
        answer = await sent(client, made.keyring.token(), wanted)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")


async def test_a_wrong_token_is_told_in_the_form_which_does_not_repeat_it() -> None:
    async with browsers() as (made, client):
        wrong = made.keyring.token()[:-1] + "!"
        answer = await sent(client, wrong)
        assert answer.status_code == 401
        assert "not accepted" in answer.text
        assert wrong not in answer.text
        assert made.sessions.rows == {}


async def test_another_site_cannot_log_a_browser_in() -> None:
    async with browsers() as (made, client):
        token = made.keyring.token()
        assert (await client.post("/login", data={"token": token})).status_code == 403
        page = await client.get("/login")
        client.cookies.clear()  # a form of another site brings no cookie along
        assert (await client.post("/login", data={"token": token, "csrf_token": form_token(page)})).status_code == 403
        assert made.sessions.rows == {}


async def test_a_new_login_has_a_new_id_and_ends_the_session_before() -> None:
    async with browsers() as (made, client):
        client.cookies.set("voc_session", "x" * 43, domain="localhost.local", path="/")  # chosen by somebody else
        await sent(client, made.keyring.token())
        first = client.cookies["voc_session"]
        assert first != "x" * 43
        await sent(client, made.keyring.token())
        assert client.cookies["voc_session"] != first
        assert len(made.sessions.rows) == 1


async def test_a_change_by_a_session_needs_the_page_s_token_in_header_or_form() -> None:
    async with browsers() as (made, client):
        await sent(client, made.keyring.token("admin"))
        page = await client.get("/desk/look", params={"theme": "dark", "next": "/"})
        assert page.status_code == 303
        csrf = csrf_of(client)
        for headers, data in (({}, {}), ({"X-CSRF-Token": "x"}, {}), ({"X-CSRF-Token": ""}, {}), ({}, {"csrf_token": "é"})):
            answer = await client.post("/logout", headers=headers, data=data)
            assert (answer.status_code, len(made.sessions.rows)) == (403, 1)
        assert (await client.post(f"/logout?{urlencode({'csrf_token': csrf})}")).status_code == 403
        assert (await client.post("/logout", data={"csrf_token": csrf})).status_code == 303
        assert made.sessions.rows == {}


async def test_a_bearer_needs_no_token_of_a_page_and_whoever_logged_out_is_out() -> None:
    async with browsers() as (made, client):
        await sent(client, made.keyring.token())
        session_id = client.cookies["voc_session"]
        answer = await client.post("/logout", headers={"X-CSRF-Token": csrf_of(client)})
        assert answer.headers["Location"] == "/login"
        assert 'voc_session=""' in cookie_of(answer, "voc_session")
        assert (await client.get("/nowhere", headers={"Cookie": f"voc_session={session_id}"})).status_code == 401
        client.cookies.clear()
        assert (await client.post("/logout", headers=made.keyring.headers())).status_code == 303


@asynccontextmanager
async def company(**settings: Any) -> AsyncIterator[tuple[IdentityProvider, UnitDesk, httpx.AsyncClient]]:
    """Lend an identity provider, and a browser of a desk that knows it."""
    provider = IdentityProvider()
    async with TestServer(provider.app()) as server:
        provider.issuer = str(server.make_url("")).rstrip("/")
        told = {
            "oidc_issuer": provider.issuer,
            "oidc_client_id": "pages",
            "oidc_client_secret": SECRET,
            "oidc_redirect_url": RETURN,
            "oidc_audience": "voc-api",
        }
        async with browsers(unit_desk(**told | settings)) as (made, client):
            yield provider, made, client


async def gone_there_and_back(client: httpx.AsyncClient, wanted: str = "/", **changes: str) -> httpx.Response:
    """Follow the way to the provider and back, as a browser does; changes are made to what comes back."""
    there = await client.get("/login/oidc", params={"next": wanted})
    assert there.status_code == 303
    async with httpx.AsyncClient() as outside:
        back = urlsplit((await outside.get(there.headers["Location"])).headers["Location"])
    query = {name: values[0] for name, values in parse_qs(back.query).items()} | changes
    return await client.get(f"{back.path}?{urlencode(query)}")


async def test_the_company_s_login_begins_a_session_for_who_the_claims_name() -> None:
    async with company() as (provider, made, client):
        assert 'href="/login/oidc?next=%2Fdesk%2Fcalls"' in (await client.get("/login?next=/desk/calls")).text
        provider.person |= {"sub": "ann", "roles": ["voc.operate"]}
        answer = await gone_there_and_back(client, "/desk/calls")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/desk/calls")
        ((row, key),) = made.sessions.rows.values()
        assert (row.actor, row.tenant_id, row.scopes, key) == ("oidc:ann", "acme", ["operate", "read"], None)
        assert (await client.get("/nowhere")).status_code == 404


async def test_the_way_there_has_state_nonce_and_a_challenge_that_are_new_each_time() -> None:
    async with company() as (_, _made, client):
        asked = [parse_qs(urlsplit((await client.get("/login/oidc")).headers["Location"]).query) for _ in range(2)]
        for name in ("state", "nonce", "code_challenge"):
            assert asked[0][name] != asked[1][name]
        assert (asked[0]["response_type"], asked[0]["code_challenge_method"], asked[0]["redirect_uri"]) == (["code"], ["S256"], [RETURN])


@pytest.mark.parametrize("changes", [{"state": "forged"}, {"state": ""}, {"code": "forged"}, {"code": ""}, {"iss": "https://evil.example"}])
async def test_an_answer_that_is_not_the_provider_s_begins_nothing(changes: dict[str, str]) -> None:
    async with company() as (_, made, client):
        assert (await gone_there_and_back(client, **changes)).status_code == 401
        assert made.sessions.rows == {}


async def test_an_answer_for_another_browser_begins_nothing() -> None:
    async with company() as (_, made, client):
        there = await client.get("/login/oidc")
        async with httpx.AsyncClient() as outside:
            back = (await outside.get(there.headers["Location"])).headers["Location"]
        client.cookies.clear()
        assert (await client.get(back)).status_code == 401
        assert made.sessions.rows == {}


async def test_a_code_is_good_once() -> None:
    async with company() as (_, made, client):
        there = await client.get("/login/oidc")
        kept = dict(client.cookies)
        async with httpx.AsyncClient() as outside:
            back = (await outside.get(there.headers["Location"])).headers["Location"]
        assert (await client.get(back)).status_code == 303
        client.cookies.clear()
        again = await client.get(back, headers={"Cookie": "; ".join(f"{name}={value}" for name, value in kept.items())})
        assert again.status_code == 401
        assert len(made.sessions.rows) == 1


@pytest.mark.parametrize(
    "person", [{"roles": ["cook"]}, {"tenant_id": None}, {"nonce": "replayed"}, {"aud": "others"}, {"azp": "others"}, {"exp": 1}]
)
async def test_who_has_no_access_here_is_told_so(person: dict[str, Any]) -> None:
    async with company() as (provider, made, client):
        issue = provider.issue
        provider.issue = lambda audience, **more: issue(audience, **more | person)  # type: ignore[method-assign]
        answer = await gone_there_and_back(client)
        assert answer.status_code == 401
        assert "was not accepted" in answer.text
        assert made.sessions.rows == {}


async def test_a_provider_that_does_not_answer_leaves_the_form_for_a_token() -> None:
    async with company() as (provider, made, client):
        provider.down = True
        answer = await client.get("/login/oidc")
        assert answer.status_code == 503
        assert "does not answer" in answer.text
        assert (await sent(client, made.keyring.token())).status_code == 303


async def test_a_new_client_secret_is_used_without_a_restart() -> None:
    async with company() as (provider, made, client):
        provider.secret = "renewed"
        assert (await gone_there_and_back(client)).status_code == 401
        made.desk.credentials.renew(
            made.desk.settings.model_copy(update={"oidc_client_secret": type(made.desk.settings.oidc_client_secret)("renewed")})
        )
        assert (await gone_there_and_back(client)).status_code == 303


async def test_a_company_s_token_is_let_in_and_its_keys_are_asked_for_once() -> None:
    async with company() as (provider, _, client):
        for _time in range(20):
            answer = await client.get("/nowhere", headers={"Authorization": f"Bearer {provider.issue('voc-api')}"})
            assert answer.status_code == 404
        assert provider.asked == 1
        others = provider.issue("pages")  # for the pages' login, not for the API
        assert (await client.get("/nowhere", headers={"Authorization": f"Bearer {others}"})).status_code == 401


async def test_a_new_key_is_found_and_made_up_keys_do_not_make_us_ask_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with company() as (provider, made, client):

        async def status(token: str) -> int:
            return (await client.get("/nowhere", headers={"Authorization": f"Bearer {token}"})).status_code

        assert await status(provider.issue("voc-api")) == 404
        old = provider.issue("voc-api")
        provider.rotate(keep=True)
        assert await status(provider.issue("voc-api")) == 401  # asked a moment ago
        monkeypatch.setattr(oidc_provider, "LEAST_SECONDS", 0.0)
        assert [await status(provider.issue("voc-api")), await status(old)] == [404, 404]
        monkeypatch.setattr(oidc_provider, "LEAST_SECONDS", 3600.0)
        asked, stranger = provider.asked, IdentityProvider()
        stranger.issuer = provider.issuer
        for _ in range(10):
            stranger.rotate(keep=False)
            assert await status(stranger.issue("voc-api")) == 401
        assert provider.asked == asked
        assert made.desk.credentials.provider is not None


async def test_known_keys_outlive_a_provider_that_is_down_and_unknown_ones_are_not_our_callers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async with company() as (provider, _, client):
        headers = {"Authorization": f"Bearer {provider.issue('voc-api')}"}
        provider.down = True
        answer = await client.get("/nowhere", headers=headers)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        provider.down = False
        monkeypatch.setattr(oidc_provider, "LEAST_SECONDS", 0.0)
        assert (await client.get("/nowhere", headers=headers)).status_code == 404
        provider.down = True
        monkeypatch.setattr(oidc_provider, "FRESH_SECONDS", 0.0)
        assert (await client.get("/nowhere", headers=headers)).status_code == 404
