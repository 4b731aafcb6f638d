"""Worlds that are stopped when their test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.unit.runtime.world import World
from voc_stream.runtime.stage import Work

MakeWorld = Callable[..., World]


@pytest.fixture
async def make_world() -> AsyncIterator[MakeWorld]:
    worlds: list[World] = []

    def make(work: Work, **options: Any) -> World:
        worlds.append(World(work, **options))
        return worlds[-1]

    yield make
    for world in worlds:
        await world.stop()
