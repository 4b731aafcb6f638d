"""One site and one browser for the whole session; each test has a window of its own, in which nothing may go wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, StorageState, async_playwright, expect

from tests.browser import centre
from tests.browser.site import CHROMIUM, FLAGS, NO_CHROMIUM, PATIENCE_SECONDS, Site, Watched, manner, open_page, served, sign_in
from tests.databases import own_schema, own_warehouse
from tests.web_desk import give_keyring
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.postgres import Database
from voc_stream.devstack.stack import Stack
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.settings import Settings, load_settings

OpenAs = Callable[..., Awaitable[Watched]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The pages on databases of their own, filled."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    patch = pytest.MonkeyPatch()
    patch.setenv("STACK_DIR", str(stack.folder.absolute()))
    try:
        with own_schema(load_settings()) as settings:
            async with own_warehouse(settings) as own:
                await _migrate(own)
                await centre.found(own)
                db = Database(own)
                keyring = await give_keyring(db)
                await db.close()
                with served(own, tmp_path_factory.mktemp("web") / "log") as url:
                    yield Site(url, keyring, own)
    finally:
        patch.undo()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(site: Site) -> AsyncIterator[Browser]:  # noqa: ARG001 - what is not there need not be looked at
    """Chromium, of Debian's."""
    async with async_playwright() as playwright:
        expect.set_options(timeout=1000 * PATIENCE_SECONDS)
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sessions() -> dict[tuple[str, str], StorageState]:
    """The browser's memory of who has signed in already."""
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def open_as(site: Site, browser: Browser, sessions: dict[tuple[str, str], StorageState]) -> AsyncIterator[OpenAs]:
    """Open a window as somebody with a scope, of a tenant ("" for all); without a scope as nobody. At the end nothing must have gone wrong."""
    opened: list[Watched] = []

    async def open_(scope: str | None = "read", tenant: str = "acme", **how: Any) -> Watched:
        known = sessions.get((scope or "", tenant))
        context = await browser.new_context(**(manner() | how), storage_state=known)
        watched = await open_page(context, site)
        opened.append(watched)
        if scope is not None and known is None:
            await sign_in(watched, site.keyring.token(scope, tenant))
            sessions[scope, tenant] = await context.storage_state()
        return watched

    yield open_
    for watched in opened:
        await watched.page.context.close()
    assert [wrong for watched in opened for wrong in watched.wrong] == []


async def _migrate(settings: Settings) -> None:
    schema = PostgresSchema(settings)
    with schema.locked(30):
        schema.apply()
    warehouse = Warehouse(settings)
    clickhouse = ClickHouseSchema(settings, warehouse)
    await clickhouse.create_database()
    await clickhouse.apply()
    await warehouse.close()
