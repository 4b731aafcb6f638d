"""The recorder is searched piece by piece, and a result as long as its cap is halved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.fakes.recorder import FakeRecorder
from voc_stream.services.searching import PIECE, search_all
from voc_stream.stages.outside import Segment

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
END = START + timedelta(hours=1)


async def found(recorder: FakeRecorder, start: datetime = START, end: datetime = END) -> set[str]:
    return {segment.inum async for result in search_all(recorder, start, end) for segment in result.segments}


def filled(recorder: FakeRecorder, *seconds: int) -> FakeRecorder:
    for second in seconds:
        at = START + timedelta(seconds=second)
        recorder.add(Segment(inum=str(second), started_at=at, ended_at=at))
    return recorder


async def test_an_hour_is_asked_for_in_pieces_that_leave_nothing_out() -> None:
    recorder = filled(FakeRecorder(), 0, 899, 900, 901, 1800, 3600)

    assert await found(recorder) == {"0", "899", "900", "901", "1800", "3600"}
    assert recorder.searched == [(START + n * PIECE, START + (n + 1) * PIECE) for n in range(4)]


async def test_a_result_as_long_as_the_cap_is_halved_until_it_is_shorter() -> None:
    seconds = [*range(60), 2000]

    assert await found(filled(FakeRecorder(result_cap=5), *seconds)) == {str(second) for second in seconds}


async def test_a_moment_is_one_question() -> None:
    recorder = filled(FakeRecorder(), 7)
    at = START + timedelta(seconds=7)

    assert await found(recorder, at, at) == {"7"}
    assert recorder.searched == [(at, at)]
