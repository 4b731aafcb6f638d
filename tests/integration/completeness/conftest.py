"""A world of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.completeness.world import World, world
from voc_stream.settings import Settings


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[World]:
    async with world(settings) as lent:
        yield lent
