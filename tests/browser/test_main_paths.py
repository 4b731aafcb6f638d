"""What a quality manager does in the morning."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from tests.browser.centre import ATTACK, IMAGE, TOLD
from tests.browser.conftest import OpenAs
from tests.browser.site import PATIENCE_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def heading(page: Page, name: str) -> None:
    await expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


async def until(page: Page, true: str) -> None:
    """Wait until an expression is true; Playwright's own waiting compiles it in the page, which the Content-Security-Policy forbids."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await page.evaluate(true):
            await asyncio.sleep(0.05)


async def test_from_the_overview_to_the_calls_and_into_one(open_as: OpenAs) -> None:
    window = await open_as("read")
    page = window.page
    await window.go("/")
    await heading(page, "Overview")
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Calls").click()
    await heading(page, "Calls")
    await page.goto(f"{window.url}/desk/calls?topic=complaint")
    await expect(page.get_by_role("row").nth(1)).to_contain_text("Complaint")
    await page.get_by_role("row").nth(1).get_by_role("link").first.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Call of")


async def test_words_of_a_transcript_are_found_and_marked(open_as: OpenAs) -> None:
    window = await open_as("read")
    await window.go("/desk/calls")
    await window.page.get_by_label("Words in the transcript").fill("refund")
    await window.page.keyboard.press("Enter")
    await expect(window.page.locator("mark").first).to_have_text("refund")


async def test_a_call_plays_follows_its_transcript_and_shows_its_evidence(open_as: OpenAs) -> None:
    window = await open_as("read")
    page = window.page
    await window.go(f"/desk/calls/{TOLD}")
    audio = page.locator("audio")
    await page.get_by_role("button", name="Play", exact=True).click()
    await until(page, "document.querySelector('audio').currentTime > 0.6")
    await expect(page.locator(".turn[aria-current='true']")).to_contain_text("Good morning")
    # A click in the transcript jumps there, and an item's evidence plays its own seconds.
    await page.locator(".turn").nth(2).get_by_role("button").first.click()
    await until(page, "document.querySelector('audio').currentTime >= 7.5")
    await page.locator(".evidence").first.click()
    await until(page, "(([now]) => now >= 0.5 && now < 3.5)([document.querySelector('audio').currentTime])")
    await until(page, "document.querySelector('audio').paused")
    assert await audio.evaluate("audio => audio.error") is None


async def test_few_calls_look_uncertain_in_the_ranking(open_as: OpenAs) -> None:
    window = await open_as("read")
    await window.go("/desk/agents?days=7")
    few, many = (window.page.get_by_role("row").filter(has_text=name) for name in ("new", "Ben Ito"))
    await expect(few).to_contain_text("few calls")
    await expect(few.locator("td").first).to_have_text("(1)")
    lengths = [await row.locator(".range").evaluate("line => line.x2.baseVal.value - line.x1.baseVal.value") for row in (few, many)]
    assert lengths[0] > lengths[1] > 0


async def test_from_the_ranking_to_an_agent_and_the_agents_calls(open_as: OpenAs) -> None:
    window = await open_as("read")
    await window.go("/desk/agents?days=7")
    await window.page.get_by_role("link", name="Ben Ito").click()
    await heading(window.page, "Ben Ito")
    await expect(window.page.get_by_role("row").last).to_contain_text("Ben Ito")


async def test_a_topics_examples_are_about_it(open_as: OpenAs) -> None:
    window = await open_as("read")
    await window.go("/desk/topics")
    await window.page.get_by_role("link", name="Complaint", exact=True).click()
    await expect(window.page.get_by_role("heading", name="Examples: Complaint")).to_be_visible()
    rows = window.page.get_by_role("region", name="Examples: Complaint").get_by_role("row")
    texts = await rows.all_inner_texts()
    assert len(texts) > 2
    assert all("Complaint" in text for text in texts[1:])


async def test_alerts_are_open_or_past(open_as: OpenAs) -> None:
    window = await open_as("read")
    await window.go("/desk/alerts")
    await expect(window.page.get_by_role("article")).to_contain_text("Rule complaints")
    await expect(window.page.get_by_role("row").nth(1)).to_contain_text("60 minutes")


async def test_script_in_names_and_transcripts_stays_text(open_as: OpenAs) -> None:
    window = await open_as("operate", "acme")
    for path, seen in (
        ("/desk/agents?days=7", ATTACK),
        ("/desk/agents/anna?days=7", ATTACK),
        (f"/desk/calls/{TOLD}", IMAGE),
        ("/desk/letters/1", ATTACK),
    ):
        await window.go(path)
        assert seen in await window.text()
        assert await window.page.evaluate("window.hit") is None


async def test_the_pages_speak_vietnamese_and_count_as_it_does(open_as: OpenAs) -> None:
    window = await open_as("read")
    await window.go("/desk/alerts")
    await window.page.locator("summary").filter(has_text="Settings").click()
    await window.page.get_by_role("link", name="Tiếng Việt").click()
    await heading(window.page, "Cảnh báo")
    assert await window.page.locator("html").get_attribute("lang") == "vi"
    await expect(window.page.get_by_role("article")).to_contain_text("-0,50")


async def test_times_are_those_of_the_readers_zone(open_as: OpenAs) -> None:
    window = await open_as("read")
    await window.go(f"/desk/calls/{TOLD}")
    shown = window.page.locator("time").first
    stamp = await shown.get_attribute("datetime")
    there = await window.page.evaluate("stamp => new Date(stamp).toLocaleTimeString('en-GB', {hour: '2-digit', minute: '2-digit'})", stamp)
    assert there in await window.text()


async def test_by_keyboard_alone_to_an_agent(open_as: OpenAs) -> None:
    window = await open_as("read")
    page = window.page
    await window.go("/desk/agents?days=7")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    wanted = page.get_by_role("link", name="Ben Ito")
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("link => link === document.activeElement"):
            break
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await page.keyboard.press("Enter")
    await heading(page, "Ben Ito")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/?", "No calls yet"),
        ("/desk/calls?", "No calls yet"),
        ("/desk/agents?", "Nobody yet"),
        ("/desk/topics?", "Nothing yet"),
        ("/desk/alerts?", "All quiet"),
    ],
)
async def test_who_has_no_calls_yet_is_told_what_will_come(open_as: OpenAs, path: str, said: str) -> None:
    window = await open_as("read", "")
    await window.go(f"{path}tenant_id=initech")
    await expect(window.page.get_by_text(said).first).to_be_visible()
