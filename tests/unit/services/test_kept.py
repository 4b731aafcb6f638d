"""What costs much is made once for all who ask at the same time, and kept for as long as it is worth."""

from __future__ import annotations

import asyncio

import pytest

from voc_stream.services.kept import LONGEST_SECONDS, Kept


class Maker:
    """Makes numbers, each of which takes its time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.now, self.made, self.seconds = 100.0, 0, seconds
        self.going = asyncio.Event()
        self.going.set()

    async def make(self) -> int:
        await self.going.wait()
        self.now += self.seconds
        self.made += 1
        return self.made


async def test_an_answer_is_kept_for_twenty_times_as_long_as_it_took() -> None:
    maker = Maker(seconds=0.5)
    kept: Kept[int] = Kept(clock=lambda: maker.now)
    assert await kept.of("q", maker.make) == 1
    maker.now += 9.9
    assert await kept.of("q", maker.make) == 1
    maker.now += 0.2
    assert await kept.of("q", maker.make) == 2


async def test_no_answer_is_kept_for_long_however_long_it_took() -> None:
    maker = Maker(seconds=1000.0)
    kept: Kept[int] = Kept(clock=lambda: maker.now)
    await kept.of("q", maker.make)
    maker.now += LONGEST_SECONDS + 0.1
    assert await kept.of("q", maker.make) == 2


async def test_who_asks_at_the_same_time_shares_the_answer_also_when_the_first_goes_away() -> None:
    maker = Maker(seconds=1.0)
    maker.going.clear()
    kept: Kept[int] = Kept(clock=lambda: maker.now)
    first, second = (asyncio.create_task(kept.of("q", maker.make)) for _ in range(2))
    other = asyncio.create_task(kept.of("another", maker.make))
    await asyncio.sleep(0)
    first.cancel()
    maker.going.set()
    assert {await second, await other} == {1, 2}
    assert maker.made == 2


async def test_what_failed_is_asked_again() -> None:
    kept: Kept[int] = Kept()

    async def fail() -> int:
        raise LookupError("nobody knows")

    with pytest.raises(LookupError, match="nobody"):
        await kept.of("q", fail)
    assert await kept.of("q", Maker().make) == 1


async def test_only_the_newest_answers_are_remembered() -> None:
    maker = Maker(seconds=1.0)
    kept: Kept[int] = Kept(most=2, clock=lambda: maker.now)
    for question in "abc":
        await kept.of(question, maker.make)
    assert await kept.of("c", maker.make) == 3
    assert await kept.of("a", maker.make) == 4


async def test_what_was_made_quickly_may_be_kept_for_a_while_all_the_same() -> None:
    maker = Maker()
    kept: Kept[int] = Kept(least_seconds=5.0, clock=lambda: maker.now)
    await kept.of("q", maker.make)
    maker.now += 4.9
    assert await kept.of("q", maker.make) == 1
    maker.now += 0.2
    assert await kept.of("q", maker.make) == 2


async def test_one_that_has_grown_old_is_given_while_it_is_made_anew_but_not_when_it_is_too_old() -> None:
    maker = Maker()
    kept: Kept[int] = Kept(least_seconds=5.0, stale_seconds=5.0, clock=lambda: maker.now)
    await kept.of("q", maker.make)
    maker.going.clear()
    maker.now += 7.0
    assert [await kept.of("q", maker.make) for _ in range(3)] == [1, 1, 1]
    maker.now += 3.1
    waiting = asyncio.create_task(kept.of("q", maker.make))
    await asyncio.sleep(0)
    assert not waiting.done()
    maker.going.set()
    assert await waiting == 2
    assert maker.made == 2
