"""Short calls share requests, and each gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.fakes.scoring import FakeScoring
from voc_stream.clients.scoring_wire import ScoreReply, ScoreRequest
from voc_stream.errors import OutageError, OutsideError, RejectedError
from voc_stream.services.short_calls import ShortCalls

WAV = b"RIFF...."


class CountingScoring(FakeScoring):
    """Remembers how large each batch was."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    async def score_batch(self, calls: Sequence[tuple[ScoreRequest, bytes]]) -> list[ScoreReply | OutsideError]:
        self.batches.append(len(calls))
        return await super().score_batch(calls)


def request(call_id: str) -> ScoreRequest:
    return ScoreRequest(call_id=call_id, tenant_id="acme", expected_seconds=5.0)


async def test_calls_that_come_together_share_one_request() -> None:
    scoring = CountingScoring()
    short = ShortCalls(scoring, size=8)
    replies = await asyncio.gather(*(short.score(request(f"c{n}"), WAV) for n in range(5)))
    assert [reply.call_id for reply in replies] == ["c0", "c1", "c2", "c3", "c4"]
    assert scoring.batches == [5]


async def test_a_batch_never_exceeds_its_size() -> None:
    scoring = CountingScoring()
    short = ShortCalls(scoring, size=2)
    await asyncio.gather(*(short.score(request(f"c{n}"), WAV) for n in range(5)))
    assert scoring.batches == [2, 2, 1]


async def test_a_refused_call_does_not_hurt_its_neighbours() -> None:
    short = ShortCalls(CountingScoring(), size=2)
    good, bad = await asyncio.gather(short.score(request("good"), WAV), short.score(request("bad"), b"no audio"), return_exceptions=True)
    assert isinstance(good, ScoreReply)
    assert isinstance(bad, RejectedError)


async def test_an_outage_reaches_every_call_of_the_batch() -> None:
    scoring = CountingScoring()
    scoring.fail_next("score_batch", OutageError("scorer", "connection refused"))
    short = ShortCalls(scoring, size=2)
    replies = await asyncio.gather(short.score(request("a"), WAV), short.score(request("b"), WAV), return_exceptions=True)
    assert [type(reply) for reply in replies] == [OutageError, OutageError]


async def test_calls_go_one_by_one_where_the_api_takes_no_batches() -> None:
    scoring = CountingScoring()
    scoring.fail_next("score_batch", RejectedError("scorer", "it answered 404"))
    short = ShortCalls(scoring, size=2)
    replies = await asyncio.gather(short.score(request("a"), WAV), short.score(request("b"), WAV))
    assert [reply.call_id for reply in replies] == ["a", "b"]
    assert (await short.score(request("c"), WAV)).call_id == "c"
    assert scoring.batches == [2]


async def test_a_call_that_was_given_up_is_not_sent() -> None:
    scoring = CountingScoring()
    short = ShortCalls(scoring, size=3)
    abandoned = asyncio.ensure_future(short.score(request("gone"), WAV))
    await asyncio.sleep(0)
    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    await asyncio.gather(short.score(request("a"), WAV), short.score(request("b"), WAV))
    assert [asked.call_id for asked, _ in scoring.asked] == ["a", "b"]


async def test_an_error_that_nobody_knows_reaches_every_caller() -> None:
    class Broken(FakeScoring):
        async def score_batch(self, calls: Sequence[tuple[ScoreRequest, bytes]]) -> list[ScoreReply | OutsideError]:
            raise ZeroDivisionError(len(calls))

    short = ShortCalls(Broken(), size=2)
    outcomes = await asyncio.gather(*(short.score(request(f"c{n}"), WAV) for n in range(2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError, ZeroDivisionError]
