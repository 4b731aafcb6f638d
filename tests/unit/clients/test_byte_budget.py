"""Bytes that many tasks share."""

from __future__ import annotations

import asyncio

import pytest

from voc_stream.clients.byte_budget import ByteBudget


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Holder:
    """Holds bytes until it is let go."""

    def __init__(self, budget: ByteBudget, size: int) -> None:
        self.held, self.go = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(self._run(budget, size))

    async def _run(self, budget: ByteBudget, size: int) -> None:
        async with budget.hold(size):
            self.held.set()
            await self.go.wait()


async def test_bytes_are_handed_out_in_order_and_come_back() -> None:
    budget = ByteBudget(10)
    first, large, small = Holder(budget, 6), Holder(budget, 8), Holder(budget, 1)
    await settle()
    # The small one fits, but passes nobody: else a large one would wait for ever.
    assert [each.held.is_set() for each in (first, large, small)] == [True, False, False]
    first.go.set()
    await settle()
    assert [each.held.is_set() for each in (large, small)] == [True, True]
    large.go.set()
    small.go.set()
    await asyncio.gather(first.task, large.task, small.task)
    assert budget.free == 10


async def test_more_than_all_is_all() -> None:
    budget = ByteBudget(10)
    async with budget.hold(1000):
        assert budget.free == 0
    assert budget.free == 10


async def test_one_that_gives_up_waiting_holds_up_nobody() -> None:
    budget = ByteBudget(10)
    first, large, small = Holder(budget, 6), Holder(budget, 8), Holder(budget, 1)
    await settle()
    large.task.cancel()
    await settle()
    assert small.held.is_set()
    first.go.set()
    small.go.set()
    await asyncio.gather(first.task, small.task)
    assert budget.free == 10


async def test_one_that_gives_up_just_as_its_turn_comes_gives_back() -> None:
    budget = ByteBudget(10)
    first, second = Holder(budget, 10), Holder(budget, 10)
    await settle()
    first.go.set()
    await first.held.wait()
    await asyncio.sleep(0)
    second.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second.task
    await first.task
    assert budget.free == 10


async def test_one_that_gives_up_just_before_its_turn_comes_leaves_nothing_behind() -> None:
    budget = ByteBudget(10)
    async with budget.hold(10):
        second = Holder(budget, 10)
        await settle()
        second.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second.task
    assert budget.free == 10


async def test_an_error_inside_gives_back() -> None:
    budget = ByteBudget(10)
    with pytest.raises(ZeroDivisionError):
        async with budget.hold(5):
            raise ZeroDivisionError
    assert budget.free == 10
