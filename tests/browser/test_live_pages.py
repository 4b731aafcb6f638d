"""Numbers follow what happens, and are told politely."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from tests.browser.centre import add_call, raise_alert
from tests.browser.conftest import OpenAs
from tests.browser.site import Site, Watched
from voc_stream.clients.postgres import Database

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def is_followed(window: Watched) -> None:
    """Wait until the stream has given its first answer, after its greeting: what comes after that is new."""
    await expect(window.page.locator("#live-state")).to_have_text("Live")
    await expect(window.page.locator("html")).to_have_attribute("data-live-told", re.compile(r"^([2-9]|\d\d+)$"))


async def alarm(site: Site, rule: str) -> None:
    db = Database(site.settings)
    await raise_alert(db, "globex", rule, datetime.now(UTC))
    await db.close()


async def test_a_call_that_comes_is_counted_and_offered_while_the_list_stays_where_it_is(open_as: OpenAs, site: Site) -> None:
    overview, calls = await open_as("read"), await open_as("read")
    await overview.go("/")
    await calls.go("/desk/calls")
    for window in (overview, calls):
        await is_followed(window)
    number = overview.page.locator("[data-live='calls']")
    before = int(await number.inner_text())
    await add_call(site.settings, "late-1")
    await expect(number).to_have_text(str(before + 1))
    new = calls.page.locator("[data-live='new']")
    await expect(new).to_contain_text("1 new")
    rows = await calls.page.get_by_role("row").count()
    await new.click()
    await expect(calls.page.get_by_role("row")).to_have_count(rows + 1)


async def test_an_alert_is_announced(open_as: OpenAs, site: Site) -> None:
    window = await open_as("read", "globex")
    await window.go("/desk/alerts")
    badge = window.page.locator("[data-live='alerts']")
    await is_followed(window)
    await alarm(site, "more")
    await expect(badge).to_have_text("2")
    region = window.page.locator("#live")
    await expect(region).to_have_text("2 alerts are open now")
    assert await region.get_attribute("aria-live") == "polite"


async def test_a_page_that_nobody_sees_has_no_stream(open_as: OpenAs) -> None:
    window = await open_as("read")
    await window.go("/desk/alerts")
    await expect(window.page.locator("#live-state")).to_have_text("Live")
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true}); document.dispatchEvent(new Event('visibilitychange'))"
    async with window.page.expect_event("requestfailed", lambda request: "/desk/live" in request.url):
        await window.page.evaluate(hide % "true")
    async with window.page.expect_response(lambda response: "/desk/live" in response.url):
        await window.page.evaluate(hide % "false")
