"""Who asks while an act is under way shares the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from voc_stream.clients.together import Together
from voc_stream.errors import OutageError


class Act:
    """Doubles numbers, one act at a time, each when the test lets it."""

    def __init__(self) -> None:
        self.acts: list[list[int]] = []
        self.go = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        self.acts.append(list(numbers))
        await self.go.acquire()
        if self.error is not None:
            raise self.error
        return [2 * number for number in numbers]

    def let(self, acts: int) -> None:
        for _ in range(acts):
            self.go.release()


@pytest.fixture
def act() -> Act:
    return Act()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_first_waits_for_nobody_and_the_rest_go_together(act: Act) -> None:
    together = Together(act)
    asking = [asyncio.create_task(together.ask(number)) for number in range(4)]
    await turns()
    asking.append(asyncio.create_task(together.ask(4)))
    act.let(2)
    assert await asyncio.gather(*asking) == [0, 2, 4, 6, 8]
    assert [number for numbers in act.acts for number in numbers] == [0, 1, 2, 3, 4]
    assert len(act.acts) == 2


async def test_an_act_is_bounded(act: Act) -> None:
    together = Together(act, most=2)
    asking = [asyncio.create_task(together.ask(number)) for number in range(5)]
    act.let(5)
    await asyncio.gather(*asking)
    assert max(map(len, act.acts)) == 2


async def test_an_error_is_raised_to_each_of_its_act_and_to_nobody_else(act: Act) -> None:
    together = Together(act)
    act.error = OutageError("postgres", "down")
    asking = [asyncio.create_task(together.ask(number)) for number in range(3)]
    act.let(2)
    errors = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(error) for error in errors] == [OutageError] * 3
    act.error = None
    act.let(1)
    assert await together.ask(7) == 14


async def test_one_who_goes_away_takes_nothing_from_the_others(act: Act) -> None:
    together = Together(act)
    first = asyncio.create_task(together.ask(1))
    await turns()
    second, third = asyncio.create_task(together.ask(2)), asyncio.create_task(together.ask(3))
    await turns()
    first.cancel()
    second.cancel()
    await turns()
    act.let(2)
    assert await third == 6
    assert act.acts == [[1], [3]]
    assert first.cancelled()
    assert second.cancelled()
