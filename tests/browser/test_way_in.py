"""Signing in and out, and what is not for everybody."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.centre import OTHERS, TOLD
from tests.browser.conftest import OpenAs
from tests.browser.site import Site, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_nobody_sees_a_page_before_signing_in_and_comes_to_it_afterwards(open_as: OpenAs, site: Site) -> None:
    window = await open_as(None)
    await window.go("/desk/agents?days=7")
    await expect(window.page.get_by_role("heading", name="Sign in")).to_be_visible()
    await window.page.get_by_label("Access token").fill(site.keyring.token())
    await window.page.get_by_role("button", name="Sign in").click()
    await expect(window.page.get_by_role("heading", level=1, name="Agents")).to_be_visible()


async def test_a_wrong_token_is_refused_with_a_sentence(open_as: OpenAs) -> None:
    window = await open_as(None)
    window.refusals.add(401)
    await window.go("/login")
    await window.page.get_by_label("Access token").fill("voc_0123456789abcdef.0123456789abcdef012345")
    await window.page.get_by_role("button", name="Sign in").click()
    await expect(window.page.get_by_role("alert")).to_contain_text("not accepted")


async def test_who_signs_out_is_out(open_as: OpenAs, site: Site) -> None:
    window = await open_as(None)
    await sign_in(window, site.keyring.token())
    await window.page.locator("summary").filter(has_text="Settings").click()
    await window.page.get_by_role("button", name="Sign out").click()
    await expect(window.page.get_by_role("heading", name="Sign in")).to_be_visible()
    await window.go("/")
    await expect(window.page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_reader_is_not_led_to_what_operators_do_and_is_told_so_there(open_as: OpenAs) -> None:
    window = await open_as("read")
    await window.go("/")
    assert await window.page.get_by_role("link", name="Dead letters").count() == 0
    window.refusals.add(403)
    for path in ("/desk/pipeline", "/desk/letters", "/desk/pausing", "/desk/ledger", "/desk/access"):
        await window.go(path)
        await expect(window.page.get_by_role("heading", name="You may not see this")).to_be_visible()


async def test_anothers_calls_are_nowhere(open_as: OpenAs) -> None:
    mine = await open_as("read", "acme")
    mine.refusals.add(404)
    for path in (f"/desk/calls/{OTHERS}", "/desk/calls?tenant_id=globex", "/desk/agents/zoe", "/?tenant_id=globex", "/desk/nothing"):
        await mine.go(path)
        await expect(mine.page.get_by_role("heading", name="Nothing is here")).to_be_visible()
    theirs = await open_as("read", "globex")
    theirs.refusals.add(404)
    await theirs.go(f"/desk/calls/{TOLD}")
    await expect(theirs.page.get_by_role("heading", name="Nothing is here")).to_be_visible()
    await theirs.go("/desk/calls")
    assert await theirs.page.get_by_role("row").count() == 2


async def test_an_operator_of_a_tenant_sees_that_tenants_letters_only(open_as: OpenAs) -> None:
    window = await open_as("operate", "globex")
    await window.go("/desk/letters")
    assert "the record of globex is not JSON" in await window.text()
    assert "acme" not in await window.text()


async def test_a_form_of_another_site_changes_nothing(open_as: OpenAs) -> None:
    window = await open_as("operate", "acme")
    await window.go("/desk/pausing")
    answer = await window.page.request.post(f"{window.url}/desk/pausing", form={"action": "pause", "whose": "acme", "reason": "forged"})
    assert answer.status == 403
    await window.go("/desk/pausing")
    assert "forged" not in await window.text()
