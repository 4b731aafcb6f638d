"""Each page in both themes, at a desk and on a phone: axe finds nothing serious, nothing is loaded from elsewhere, no script is blocked or fails."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.browser.centre import TOLD
from tests.browser.conftest import OpenAs

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = (
    "/",
    "/desk/calls",
    "/desk/calls?q=refund",
    f"/desk/calls/{TOLD}",
    "/desk/agents?days=7",
    "/desk/agents/anna?days=7",
    "/desk/topics",
    "/desk/alerts",
    "/desk/pipeline",
    "/desk/letters",
    "/desk/letters/1",
    "/desk/letters/act?id=1",
    "/desk/pausing",
    "/desk/ledger",
    "/desk/access",
)
_GRAVE = ("serious", "critical")


# Of its rules, those that a theme can break.
_OF_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"], "resultTypes": ["violations"]}
_ALL = {"resultTypes": ["violations"]}


async def grave(page: Page, rules: dict[str, list[str]] = _ALL) -> list[str]:
    """Return what axe-core calls serious or critical, with where it is."""
    found = await Axe().run(page, options=rules)
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in found.response["violations"]
        if violation["impact"] in _GRAVE
        for node in violation["nodes"][:3]
    ]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_for_everybody_in_light_and_dark(open_as: OpenAs, path: str) -> None:
    window = await open_as("admin", "acme", color_scheme="light")
    await window.go(path)
    assert await grave(window.page) == []
    await window.page.emulate_media(color_scheme="dark")
    assert await grave(window.page, _OF_COLOURS) == []


async def test_the_way_in_is_for_everybody_in_light_and_dark(open_as: OpenAs) -> None:
    window = await open_as(None)
    await window.go("/login")
    assert await grave(window.page) == []
    await window.page.emulate_media(color_scheme="dark")
    assert await grave(window.page, _OF_COLOURS) == []


async def test_on_a_phone_no_page_is_wider_than_it(open_as: OpenAs) -> None:
    window = await open_as("admin", "acme", viewport={"width": 360, "height": 740})
    for path in PAGES:
        await window.go(path)
        wide = await window.page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        assert wide <= 0, path
