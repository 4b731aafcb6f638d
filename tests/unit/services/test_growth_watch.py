"""A worker whose topics grow is told so; while PostgreSQL cannot say, it works on (docs/partitions.md)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.unit.runtime.world import Dependency
from voc_stream.clients.growth_store import OpenGrowth
from voc_stream.errors import OutageError
from voc_stream.runtime.gate import Gate
from voc_stream.services.growth_watch import growing

OPEN = OpenGrowth(id=1, family="calls", before=12, after=24, step="letters", ends={})


def gate() -> Gate:
    dependency = Dependency()
    dependency.error = OutageError("postgres", "down")
    return Gate("postgres", dependency.probe)


def answering(*answer: OpenGrowth | Exception) -> Any:
    async def read() -> list[OpenGrowth]:
        for each in answer:
            if isinstance(each, Exception):
                raise each
        return [each for each in answer if isinstance(each, OpenGrowth)]

    return SimpleNamespace(open=read)


async def test_a_growth_that_is_not_finished_ends_the_worker_and_names_the_command_that_goes_on() -> None:
    error = await growing(answering(OPEN), gate())
    assert "`faust -A voc_stream partitions --apply`" in str(error)


async def test_nothing_that_grows_lets_it_work() -> None:
    assert await growing(answering(), gate()) is None


async def test_an_outage_closes_the_gate_and_while_it_is_closed_nobody_asks() -> None:
    door = gate()
    assert await growing(answering(OutageError("postgres", "down")), door) is None
    assert not door.is_open
    assert await growing(answering(OPEN), door) is None
