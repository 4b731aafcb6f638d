"""Places that the tests share, one after the other, and a world in them of each test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.completeness.world import World, places, world
from voc_stream.devstack.stack import Stack
from voc_stream.settings import Settings, load_settings


@pytest.fixture(scope="package")
def shared(stack: Stack) -> Iterator[Settings]:
    """Made once, on an event loop beside the tests' own: migrations take longer than any of them."""
    given = load_settings(**{name.lower(): value for name, value in stack.endpoints.items() if name.lower() in Settings.model_fields})
    lent = places(given)
    with pytest.MonkeyPatch.context() as environment, ThreadPoolExecutor(1) as beside, asyncio.Runner() as runner:
        # Settings with other databases are loaded anew, and must lead to this stack.
        environment.setenv("STACK_DIR", str(stack.folder.absolute()))
        yield beside.submit(runner.run, lent.__aenter__()).result()
        beside.submit(runner.run, lent.__aexit__(None, None, None)).result()


@pytest.fixture
async def here(shared: Settings) -> AsyncIterator[World]:
    async with world(shared) as lent:
        yield lent
