"""The people's side in a process of its own, and a browser that notices what it should not see."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request

from tests.web_desk import Keyring
from voc_stream.devstack.child import die_with
from voc_stream.devstack.ports import free_port
from voc_stream.settings import Settings

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_CHROMIUM = "the browser tests need `chromium`: apt-get install chromium"
# Without the background flags it asks for its maker's hosts at every start.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
)
START_SECONDS = 120.0
# Of everything that is awaited: a test waits for what it wants to see, and this long at most.
PATIENCE_SECONDS = 90.0
LIVE_SECONDS = 0.5
_TELL_VIOLATIONS = """
addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))
"""
_ZONE = "Asia/Ho_Chi_Minh"


@dataclass(frozen=True, slots=True)
class Site:
    """Where the pages are, and who may see them.

    Attributes:
        settings: of the databases behind it.
    """

    url: str
    keyring: Keyring
    settings: Settings


@contextmanager
def served(settings: Settings, log: Path) -> Iterator[str]:
    """Run `python -m voc_stream.web` on databases, and lend its address."""
    port = free_port()
    wanted = {
        "HTTP_PORT": str(port),
        "POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
        "CLICKHOUSE_DB": settings.clickhouse_db,
        "PII_KEYS": settings.pii_keys.get_secret_value(),
        "PII_KEY_ID": settings.pii_key_id or "",
        "LIVE_SECONDS": str(LIVE_SECONDS),
        "HTTP_PEER_RATE": "100000",
        "HTTP_TENANT_RATE": "100000",
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "voc_stream.web"],
            cwd=ROOT,
            env=os.environ | wanted,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with(signal.SIGTERM, os.getpid()),  # noqa: PLW1509 - one system call, no lock taken
        )
    try:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/healthz", timeout=5).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"the people's side did not start:\n{log.read_text()[-4000:]}")


@dataclass
class Watched:
    """A page, and what went wrong on it.

    Attributes:
        wrong: messages of the console, errors of scripts, violations of the Content-Security-Policy, requests to other hosts.
        refusals: answers from 400 on that a test brings about, and that are no fault.
    """

    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)
    refusals: set[int] = field(default_factory=set)

    def listen(self, context: BrowserContext) -> None:
        """Note what goes wrong from now on."""
        context.on("request", self._requested)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))

    async def go(self, path: str) -> None:
        """Open a page."""
        await self.page.goto(self.url + path)

    async def text(self) -> str:
        """Return what the page says."""
        return await self.page.inner_text("body")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        expected = any(f"status of {status}" in message.text for status in self.refusals)
        if not expected:
            self.wrong.append(f"console: {message.text}")

    def _requested(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and f"{parts.scheme}://{parts.netloc}" != self.url:
            self.wrong.append(f"another host: {request.url}")


async def open_page(context: BrowserContext, site: Site) -> Watched:
    """Return a page that is watched."""
    await context.add_init_script(
        "addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))"
    )
    context.set_default_timeout(1000 * PATIENCE_SECONDS)
    watched = Watched(await context.new_page(), site.url)
    watched.listen(context)
    return watched


async def sign_in(watched: Watched, token: str) -> None:
    """Sign in as a person does."""
    await watched.go("/login")
    await watched.page.get_by_label("Access token").fill(token)
    await watched.page.get_by_role("button", name="Sign in").click()
    await watched.page.wait_for_url(f"{watched.url}/")


def manner(*, phone: bool = False) -> dict[str, Any]:
    """Return what kind of a reader it is: British, in Vietnam, at a desk or with a phone."""
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
    return {"locale": "en-GB", "timezone_id": _ZONE, "viewport": size, "reduced_motion": "reduce"}
