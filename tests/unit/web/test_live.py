"""A question is asked once for all its readers, at most once in an interval, and no longer than somebody reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import pytest

from voc_stream.errors import OutageError
from voc_stream.web.live import Board, FullError

SOON = 0.01
NEVER = 3600.0


class Question:
    """Counts how often it is asked; answers with that count, or fails where it is told to."""

    def __init__(self, fails: Callable[[int], Exception | None] = lambda _: None) -> None:
        self.asked = 0
        self._fails = fails

    async def __call__(self) -> int:
        self.asked += 1
        if error := self._fails(self.asked):
            raise error
        return self.asked


async def _first(stream: AsyncGenerator[int, None]) -> int:
    async with asyncio.timeout(10):
        return await anext(stream)


@pytest.fixture
async def made() -> AsyncIterator[Callable[[float], Board[int]]]:
    boards: list[Board[int]] = []

    def make(seconds: float) -> Board[int]:
        boards.append(Board(seconds, most_of_one=3, most=5))
        return boards[-1]

    yield make
    for board in boards:
        await board.close()


async def test_many_readers_are_one_question(made: Callable[[float], Board[int]]) -> None:
    board, question = made(NEVER), Question()
    streams = [board.watch("calls", question) for _ in range(50)]
    assert [await _first(stream) for stream in streams] == [1] * 50
    assert question.asked == 1


async def test_a_reader_is_told_of_each_newer_answer(made: Callable[[float], Board[int]]) -> None:
    async with aclosing(made(SOON).watch("calls", Question())) as stream:
        assert [await _first(stream) for _ in range(3)] == [1, 2, 3]


async def test_who_comes_back_within_the_interval_gets_the_answer_that_is_there(made: Callable[[float], Board[int]]) -> None:
    board, question = made(NEVER), Question()
    for _ in range(10):
        async with aclosing(board.watch("calls", question)) as stream:
            assert await _first(stream) == 1
    assert question.asked == 1


async def test_different_questions_are_asked_each(made: Callable[[float], Board[int]]) -> None:
    board, one, other = made(NEVER), Question(), Question()
    assert [await _first(board.watch("one", one)), await _first(board.watch("other", other))] == [1, 1]
    assert (one.asked, other.asked) == (1, 1)


async def test_without_readers_nobody_asks(made: Callable[[float], Board[int]]) -> None:
    board, question = made(SOON), Question()
    async with aclosing(board.watch("calls", question)) as stream:
        await _first(stream)
    while board._channels:
        await asyncio.sleep(SOON)
    asked = question.asked
    await asyncio.sleep(5 * SOON)
    assert question.asked == asked


async def test_an_outage_leaves_the_last_answer_standing_and_the_stream_goes_on(made: Callable[[float], Board[int]]) -> None:
    question = Question(lambda turn: OutageError("postgres", "is down") if turn == 2 else None)
    async with aclosing(made(SOON).watch("calls", question)) as stream:
        seen = [await _first(stream)]
        while seen[-1] < 3:
            seen.append(await _first(stream))
    assert seen[0] == 1
    assert set(seen) == {1, 3}


async def test_a_mistake_in_a_question_ends_its_streams_rather_than_leaving_them_hanging(made: Callable[[float], Board[int]]) -> None:
    board = made(SOON)
    stream = board.watch("calls", Question(lambda _: KeyError("calls")))
    with pytest.raises(StopAsyncIteration):
        await _first(stream)
    assert not board._channels


async def test_closing_the_board_ends_streams(made: Callable[[float], Board[int]]) -> None:
    board = made(NEVER)
    stream = board.watch("calls", Question())
    await _first(stream)
    waiting = asyncio.create_task(_first(stream))
    await asyncio.sleep(0)
    await board.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


def test_a_tenant_has_so_many_streams_and_leaves_room_for_others(made: Callable[[float], Board[int]]) -> None:
    board = made(NEVER)
    with board.place("acme"), board.place("acme"), board.place("acme"):
        with pytest.raises(FullError), board.place("acme"):
            pass
        with board.place("globex"), board.place("globex"), pytest.raises(FullError), board.place("initech"):
            pass
    with board.place("acme"):
        pass
