"""What is remembered for seconds."""

from __future__ import annotations

import asyncio

import pytest

from voc_stream.errors import OutageError
from voc_stream.web.remembered import Remembered


class Shelf:
    """Looks things up when it is let."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[str] = []
        self.answers: dict[str, str | None] = {"a": "1"}
        self.open = asyncio.Event()
        self.open.set()
        self.fault: Exception | None = None

    async def find(self, key: str) -> str | None:
        self.asked.append(key)
        await self.open.wait()
        if self.fault:
            raise self.fault
        return self.answers.get(key)

    def remembered(self, most: int = 10) -> Remembered[str, str | None]:
        return Remembered(self.find, seconds=3, most=most, clock=lambda: self.now)


async def test_an_answer_holds_for_its_seconds_also_that_there_is_nothing() -> None:
    shelf = Shelf()
    known = shelf.remembered()
    assert [await known.get("a"), await known.get("a"), await known.get("b"), await known.get("b")] == ["1", "1", None, None]
    assert shelf.asked == ["a", "b"]
    shelf.answers["a"], shelf.now = "2", 3.0
    assert await known.get("a") == "2"


async def test_who_asks_for_the_same_at_the_same_time_waits_for_one_look_up() -> None:
    shelf = Shelf()
    shelf.open.clear()
    known = shelf.remembered()
    asking = [asyncio.create_task(known.get("a")) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()  # others still get their answer
    shelf.open.set()
    assert set(await asyncio.gather(*asking[1:])) == {"1"}
    assert shelf.asked == ["a"]


async def test_a_failure_goes_to_all_who_wait_and_is_not_remembered() -> None:
    shelf = Shelf()
    known = shelf.remembered()
    shelf.fault = OutageError("postgres", "down")
    with pytest.raises(OutageError):
        await known.get("a")
    shelf.fault = None
    assert await known.get("a") == "1"


async def test_what_is_forgotten_while_it_is_looked_up_is_looked_up_again() -> None:
    shelf = Shelf()
    shelf.open.clear()
    known = shelf.remembered()
    early = asyncio.create_task(known.get("a"))
    await asyncio.sleep(0)
    known.forget("a")
    shelf.open.set()
    assert await early == "1"
    shelf.answers["a"] = None
    assert await known.get("a") is None


async def test_no_more_than_so_many_are_held() -> None:
    shelf = Shelf()
    known = shelf.remembered(most=2)
    for key in ("a", "b", "c", "a"):
        await known.get(key)
    assert shelf.asked == ["a", "b", "c", "a"]


async def test_an_answer_is_as_old_as_its_question() -> None:
    shelf = Shelf()
    shelf.open.clear()
    known = shelf.remembered()
    asking = asyncio.create_task(known.get("a"))
    while not shelf.asked:
        await asyncio.sleep(0)
    shelf.now = 2.5
    shelf.open.set()
    await asking
    shelf.now = 3.0
    await known.get("a")
    assert shelf.asked == ["a", "a"]
