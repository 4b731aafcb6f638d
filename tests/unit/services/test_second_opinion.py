"""A slow model is asked within a budget, remembered, and never waited for without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from voc_stream.errors import OutageError, RejectedError
from voc_stream.nlp.score_cache import ScoreCache
from voc_stream.runtime.gate import Gate
from voc_stream.services.second_opinion import SecondOpinion


class Model:
    """Scores a part by its length in tenths; `hold` makes it wait, `fault` raise."""

    name = "slow"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.at_once = self.most_at_once = 0
        self.hold: asyncio.Event | None = None
        self.fault: Exception | None = None
        self.answered = asyncio.Event()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def parts(self, text: str) -> list[str]:
        return [part for part in text.split(". ") if part]

    async def score(self, parts: Sequence[str]) -> list[float]:
        self.asked.append(list(parts))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.hold is not None:
                await self.hold.wait()
            await asyncio.sleep(0)
            if self.fault is not None:
                raise self.fault
            self.answered.set()
            return [len(part) / 10 for part in parts]
        finally:
            self.at_once -= 1

    async def probe(self) -> None:
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def gate(model: Model) -> AsyncIterator[Gate]:
    made = Gate("slow", model.probe, first_pause=3600)
    yield made
    await made.stop()


def opinion(model: Model, gate: Gate, *, budget: float = 30.0, batch: int = 2, in_flight: int = 2) -> SecondOpinion:
    return SecondOpinion(model, ScoreCache("slow:1", 100), gate, budget=budget, batch=batch, in_flight=in_flight)


async def test_a_text_is_the_mean_of_its_parts_each_asked_once(model: Model, gate: Gate) -> None:
    second = opinion(model, gate)
    assert await second.ask(["a. aaa", "a. a. aaaa", ""], "en") == [(0.2, "slow"), (pytest.approx(0.2), "slow"), (None, "slow-late")]
    assert sorted(part for batch in model.asked for part in batch) == ["a", "aaa", "aaaa"]
    assert max(map(len, model.asked)) <= 2


async def test_what_was_answered_is_not_asked_again(model: Model, gate: Gate) -> None:
    second = opinion(model, gate)
    await second.ask(["a. aaa"], "en")
    model.asked.clear()
    assert await second.ask(["aaa", "a"], "en") == [(0.3, "slow"), (0.1, "slow")]
    assert model.asked == []
    await second.ask(["aaa"], "de")
    assert model.asked == [["aaa"]]


async def test_a_late_answer_is_remembered_and_the_window_goes_on_without_it(model: Model, gate: Gate) -> None:
    model.hold = asyncio.Event()
    second = opinion(model, gate, budget=0.01, batch=1, in_flight=1)
    assert await second.ask(["a", "aa"], "en") == [(None, "slow-late"), (None, "slow-late")]
    assert model.asked == [["a"]]
    model.hold.set()
    await model.answered.wait()
    await asyncio.sleep(0)
    assert await second.ask(["a"], "en") == [(0.1, "slow")]
    assert model.asked == [["a"]]


async def test_no_more_questions_at_once_than_allowed_over_all_windows(model: Model, gate: Gate) -> None:
    second = opinion(model, gate, batch=1, in_flight=2)
    await asyncio.gather(*(second.ask([f"{window}{text}" for text in range(5)], "en") for window in range(4)))
    assert model.most_at_once == 2
    assert len(model.asked) == 20


async def test_a_model_that_is_down_closes_the_gate_and_is_not_asked_again(model: Model, gate: Gate) -> None:
    model.fault = OutageError("slow", "connection refused")
    second = opinion(model, gate, in_flight=1)
    assert await second.ask(["a", "aa", "aaa"], "en") == [(None, "slow-down")] * 3
    assert len(model.asked) == 1
    assert await second.ask(["a"], "en") == [(None, "slow-down")]
    assert len(model.asked) == 1


async def test_what_is_remembered_is_told_while_the_model_is_down(model: Model, gate: Gate) -> None:
    second = opinion(model, gate)
    await second.ask(["a"], "en")
    gate.close(OutageError("slow", "connection refused"))
    assert await second.ask(["a", "aa"], "en") == [(0.1, "slow"), (None, "slow-down")]


async def test_a_refused_batch_does_not_close_the_gate(model: Model, gate: Gate) -> None:
    model.fault = RejectedError("slow", "it answered 413")
    assert await opinion(model, gate).ask(["a"], "en") == [(None, "slow-refused")]
    assert gate.is_open


async def test_an_unknown_error_is_raised(model: Model, gate: Gate) -> None:
    model.fault = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await opinion(model, gate).ask(["a"], "en")


async def test_closing_ends_what_is_under_way(model: Model, gate: Gate) -> None:
    model.hold = asyncio.Event()
    second = opinion(model, gate, budget=0.01)
    await second.ask(["a"], "en")
    await second.close()
    assert model.at_once == 0
