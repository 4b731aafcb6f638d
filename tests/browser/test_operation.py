"""What an operator does: letters are tried and discarded, a stage is paused, a token made and revoked; each with its row in the audit log."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.browser.centre import GAPS, LETTERS
from tests.browser.conftest import OpenAs
from tests.browser.site import PATIENCE_SECONDS, Site
from voc_stream.clients.postgres import Database

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def audited(site: Site, action: str) -> list[str]:
    """Return who did it."""
    db = Database(site.settings)
    try:
        async with db.connection() as connection:
            return [row["actor"] for row in await connection.fetch("SELECT actor FROM audit_log WHERE action = $1", action)]
    finally:
        await db.close()


async def sure(page: Page, form: str, button: str) -> None:
    """Tick the box of a form and press its button."""
    await page.get_by_label(form).check()
    await page.get_by_role("button", name=button, exact=True).click()


async def test_letters_of_one_failure_are_tried_and_then_discarded(open_as: OpenAs, site: Site) -> None:
    window = await open_as("operate", "acme")
    page = window.page
    await window.go("/desk/letters")
    await page.get_by_role("link", name="malformed").click()
    await page.get_by_role("link", name="Decide").click()
    await page.get_by_role("button", name="Try", exact=True).click()
    tried = page.get_by_role("region", name="How they would fare today")
    await expect(tried).to_contain_text("Nothing was sent")
    await expect(tried.get_by_role("row").nth(1).get_by_role("cell").nth(1)).to_have_text(str(LETTERS))
    await sure(page, f"Yes, discard {LETTERS} letters", "Discard")
    await expect(page.get_by_role("status").filter(has_text="discarded")).to_contain_text(f"{LETTERS} letters were discarded")
    key = site.keyring.tokens["acme", "operate"].key
    assert await audited(site, "dead letter discarded") == [f"token:{key}"] * LETTERS


async def test_nothing_is_discarded_without_the_ticked_box(open_as: OpenAs) -> None:
    window = await open_as("operate", "globex")
    page = window.page
    await window.go("/desk/letters")
    await page.get_by_role("link", name="malformed").click()
    await page.get_by_role("link", name="Decide").click()
    await page.get_by_role("button", name="Discard", exact=True).click()
    assert "/act" in page.url
    assert await page.get_by_label("Yes, discard 1 letter").evaluate("box => box.validity.valueMissing")


async def test_a_tenant_is_paused_and_goes_on(open_as: OpenAs, site: Site) -> None:
    window = await open_as("operate", "")
    page = window.page
    await window.go("/desk/pausing")
    await expect(page.get_by_text("Nothing is paused")).to_be_visible()
    await page.get_by_label("Stage").select_option("score")
    await page.get_by_label("Why").fill("a new rubric")
    await sure(page, "Yes, records shall wait", "Pause")
    row = page.get_by_role("row").filter(has_text="a new rubric")
    await expect(row).to_contain_text("Scoring")
    await row.get_by_role("button", name="Go on").click()
    await expect(page.get_by_text("Nothing is paused")).to_be_visible()
    assert len(await audited(site, "pause")) == len(await audited(site, "resume")) == 1


async def test_the_ledger_names_what_is_missing(open_as: OpenAs) -> None:
    window = await open_as("operate", "")
    await window.go("/desk/ledger")
    await expect(window.page.get_by_role("row").filter(has_text="Result handed on")).to_contain_text(f"{GAPS}")
    await window.page.get_by_text("By name").click()
    await expect(window.page.get_by_text("its result has no row in call_scores").first).to_be_visible()


async def test_the_pipeline_tells_each_stages_lag(open_as: OpenAs) -> None:
    window = await open_as("operate", "")
    await window.go("/desk/pipeline")
    row = window.page.get_by_role("row").filter(has_text="audio.ready")
    await expect(row.locator("[data-live='lag-score']")).to_have_text(re.compile(r"^[\d,]+$"))
    # The second look brings the rate.
    await expect(row.locator("[data-live='rate-score']")).to_have_text(re.compile(r"^[\d,]+\.\d$"))


async def test_a_token_is_made_used_and_revoked(open_as: OpenAs) -> None:
    window = await open_as("admin", "acme")
    page = window.page
    await window.go("/desk/access")
    await page.get_by_label("For what").fill("a dashboard")
    await page.get_by_role("button", name="Make a token").click()
    made = await page.locator(".made").inner_text()
    async with httpx.AsyncClient(base_url=window.url, headers={"Authorization": f"Bearer {made}"}, timeout=PATIENCE_SECONDS) as client:
        assert (await client.get("/calls")).status_code == 200
        assert (await client.get("/dlq")).status_code == 403
        await page.locator("summary").filter(has_text="a dashboard").click()
        await page.get_by_role("button", name="Revoke a dashboard").click()
        await expect(page.get_by_role("row").filter(has_text="a dashboard")).to_contain_text("revoked")
        while (await client.get("/calls")).status_code != 401:
            await page.wait_for_timeout(200)
