"""`make screenshots`: a demo runs until its calls are scored, and each page is photographed into docs/img/pages; nothing is drawn."""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import httpx
from playwright.async_api import Browser, async_playwright

from tests.browser.site import CHROMIUM, FLAGS, NO_CHROMIUM, ROOT, manner

PICTURES = ROOT / "docs" / "img" / "pages"
CALLS = 48
HANG_UPS_A_MINUTE = 20
# In the demo these have calls; the one with most of them is shown.
TENANTS = ("acme", "globex", "initech")
_OPEN = re.compile(r"^open\s+(http://\S+)/\s.*\b(voc_\S+)$")
# A line for each call that is done.
_DONE = re.compile(r"^\d{12,}\s+\S+\s+agent ")
# Numbers have come, and what is fresh has faded.
SETTLE_SECONDS = 2.0


@contextmanager
def demo(calls: int) -> Iterator[tuple[str, str]]:
    """Run a demo until all its calls are done, and lend its address and a token."""
    with tempfile.TemporaryDirectory(prefix="voc-pictures-") as folder:
        command = [
            sys.executable,
            "-m",
            "voc_stream.devstack.demo",
            "--calls",
            str(calls),
            "--rate",
            str(HANG_UPS_A_MINUTE),
            "--dir",
            f"{folder}/stack",
        ]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603 - our own words
        try:
            assert process.stdout is not None
            yield _until_done(process.stdout, calls)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


def _until_done(lines: IO[str], calls: int) -> tuple[str, str]:
    where, done = None, 0
    for line in lines:
        sys.stdout.write(line)
        if found := _OPEN.match(line.strip()):
            where = found[1], found[2]
        done += bool(_DONE.match(line))
        if where is not None and done >= calls:
            return where
    raise SystemExit("the demo ended before its calls were done")


async def photograph(url: str, token: str) -> None:
    """Take all pictures."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tenant, call, agent = _worth_showing(url, token)
        pages = {
            "overview": "/?days=1",
            "calls": "/desk/calls",
            "call": f"/desk/calls/{call}",
            "agents": "/desk/agents?days=7",
            "agent": f"/desk/agents/{agent}?days=7",
            "topics": "/desk/topics",
            "alerts": "/desk/alerts",
            "pipeline": "/desk/pipeline",
            "letters": "/desk/letters",
            "pausing": "/desk/pausing",
            "ledger": "/desk/ledger",
            "access": "/desk/access",
        }
        await _session(browser, url, (token, tenant), pages)
        await _session(browser, url, (token, tenant), {"overview-dark": "/?days=1", "call-dark": pages["call"]}, theme="dark")
        await _session(browser, url, (token, tenant), {"call-phone": pages["call"], "calls-phone": "/desk/calls"}, phone=True)
        await _session(browser, url, (token, tenant), {"overview-vi": "/?days=1"}, locale="vi")
        await browser.close()


async def _session(
    browser: Browser, url: str, who: tuple[str, str], pages: dict[str, str], *, theme: str = "light", phone: bool = False, locale: str = "en"
) -> None:
    token, tenant = who
    context = await browser.new_context(**manner(phone=phone) | {"color_scheme": theme})
    context.set_default_timeout(120_000)
    page = await context.new_page()
    await page.goto(f"{url}/login")
    await page.get_by_label("Access token").fill(token)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{url}/")
    await context.add_cookies([{"name": "locale", "value": locale, "url": url}])
    for name, path in pages.items():
        await page.goto(f"{url}{path}{'&' if '?' in path else '?'}tenant_id={tenant}")
        await asyncio.sleep(SETTLE_SECONDS)
        await page.screenshot(path=PICTURES / f"{name}.png")
        sys.stdout.write(f"{name}.png\n")
    await context.close()


def _worth_showing(url: str, token: str) -> tuple[str, str, str]:
    """Return a tenant, its scored call whose customer is the least happy, and that call's agent."""
    found: dict[str, list[dict[str, Any]]] = {}
    for tenant in TENANTS:
        query = {"tenant_id": tenant, "status": "SCORED", "limit": "200"}
        answer = httpx.get(f"{url}/calls", params=query, headers={"Authorization": f"Bearer {token}"}, timeout=120)
        found[tenant] = answer.raise_for_status().json()["calls"]
    tenant = max(TENANTS, key=lambda each: len(found[each]))
    worst = min(found[tenant], key=lambda call: call["sentiment"] or 0.0)
    return tenant, worst["call_id"], worst["agent_id"]


def main() -> None:
    """Run the demo and take the pictures."""
    # Of a shell's background job, children would not hear the Ctrl-C that ends a demo.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if CHROMIUM is None:
        raise SystemExit(NO_CHROMIUM.replace("the browser tests need", "pictures of pages need"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with demo(parser.parse_args().calls) as (url, token):
        asyncio.run(photograph(url, token))


if __name__ == "__main__":
    main()
