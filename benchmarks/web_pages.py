"""How soon pages open in a real browser that has not been there before: from the click to the end of loading, by its own clock."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from playwright.async_api import Browser, async_playwright

from voc_stream.devstack.errors import StackError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OVERVIEW = "overview"
PAGES = {OVERVIEW: "/", "calls": "/desk/calls", "agents": "/desk/agents", "topics": "/desk/topics"}
_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
_TOOK = "performance.getEntriesByType('navigation')[0].duration"


async def open_all(address: str, token: str, tenants: Sequence[str]) -> dict[str, list[float]]:
    """Open each page once for each tenant, so that no answer is remembered, with an empty cache each time.

    Args:
        address: of the people's side.
        token: for all tenants.
        tenants: whose pages.

    Returns:
        The milliseconds of each page.

    Raises:
        StackError: one could not be opened.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{address}/login")
        await page.get_by_label("Access token").fill(token)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{address}/")
        cookies = await context.cookies()
        await context.close()
        took = {name: [await _open(browser, f"{address}{path}?tenant_id={tenant}", cookies) for tenant in tenants] for name, path in PAGES.items()}
        await browser.close()
    return took


async def _open(browser: Browser, url: str, cookies: Sequence[object]) -> float:
    context = await browser.new_context()
    await context.add_cookies(cookies)  # type: ignore[arg-type]
    page = await context.new_page()
    answer = await page.goto(url, wait_until="load")
    if answer is None or not answer.ok:
        raise StackError(f"{url} was not opened: {answer and answer.status}")
    took = float(await page.evaluate(_TOOK))
    await context.close()
    return took
