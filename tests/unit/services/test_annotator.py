"""What a window's events are annotated with."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from voc_stream.events.calls import Turn
from voc_stream.events.voc import CallEvent, QosMetric, VocEvent
from voc_stream.nlp.reading import WordReader, Words
from voc_stream.services import annotator as module
from voc_stream.services.annotator import Annotator, Said
from voc_stream.services.second_opinion import Opinion
from voc_stream.stages.annotation import NOTHING

NOW = datetime(2026, 11, 22, tzinfo=UTC)
GLAD = "Thank you so much, this was great and I am very happy with it."
SAD = "This is terrible. I am angry and I want to cancel."


class Remembered:
    """Topics that remember what they were asked."""

    def __init__(self, reader: WordReader) -> None:
        self.reader = reader
        self.asked: list[tuple[str, str, float | None]] = []

    def read(
        self, tenants: Sequence[str], texts: Sequence[str], words: Words, sentiments: Sequence[float | None], languages: Sequence[str]
    ) -> Sequence[Said]:
        assert len(words.lengths) == len(texts) == len(languages)
        self.asked += zip(tenants, texts, sentiments, strict=True)
        return [("billing", 0.5, "remembered")] * len(texts)


@pytest.fixture(scope="module")
def topics() -> list[Remembered]:
    return []


@pytest.fixture(scope="module")
def annotator(topics: list[Remembered]) -> Annotator:
    def make(reader: WordReader) -> Remembered:
        topics.append(Remembered(reader))
        return topics[-1]

    return Annotator.load(make)


def call(transcript: str | None = None, **fields: Any) -> CallEvent:
    return CallEvent(event_id=str(uuid.uuid4()), tenant_id="acme", timestamp=NOW, call_id="701", transcript=transcript, **fields)


def metric() -> QosMetric:
    return QosMetric(event_id=str(uuid.uuid4()), tenant_id="acme", timestamp=NOW, metric="jitter", value=3.0)


async def test_each_event_gets_its_own_annotation_in_order(annotator: Annotator) -> None:
    glad, nothing, sad, empty = await annotator.annotate([call(GLAD), metric(), call(SAD), call(" ")])
    assert glad.sentiment is not None
    assert sad.sentiment is not None
    assert glad.sentiment > 0.3 > -0.3 > sad.sentiment
    assert glad[1:] == ("rule", "en", "billing", 0.5, "remembered")
    assert nothing == empty == NOTHING


async def test_no_events_are_no_annotations(annotator: Annotator) -> None:
    assert await annotator.annotate([]) == []


async def test_the_customer_is_heard_not_the_agent(annotator: Annotator, topics: list[Remembered]) -> None:
    turns = (Turn(speaker="agent", start=0, end=1, text=GLAD), Turn(speaker="customer", start=1, end=2, text=SAD))
    (annotation,) = await annotator.annotate([call(turns=turns)])
    assert annotation.sentiment is not None
    assert annotation.sentiment < -0.3
    assert topics[-1].asked[-1] == ("acme", SAD, annotation.sentiment)


async def test_another_language_is_marked_and_not_scored_in_english(annotator: Annotator) -> None:
    (annotation,) = await annotator.annotate([call("Cảm ơn bạn rất nhiều, dịch vụ rất tốt. Super, bravo!")])
    assert annotation[:3] == (None, "unscored:vi", "vi")


async def test_a_declared_language_stands(annotator: Annotator) -> None:
    foreign, english, unsaid = await annotator.annotate(
        [call(GLAD, language="vi-VN"), call("Super bravo", language="en"), call(GLAD, language="auto")]
    )
    assert foreign[:3] == (None, "unscored:vi", "vi")
    assert english[1:3] == unsaid[1:3] == ("rule", "en")


async def test_a_text_without_a_word_has_no_feeling(annotator: Annotator) -> None:
    (annotation,) = await annotator.annotate([call("?!...", language="en")])
    assert annotation[:2] == (None, "none")


@pytest.mark.parametrize("text", ["\x00", "lone \ud800 surrogate, great", "x" * 1_000_000, "so good! " * 120_000, "💥" * 1000, "a'" * 5000])
async def test_any_text_is_annotated(annotator: Annotator, text: str) -> None:
    (annotation,) = await annotator.annotate([call(text)])
    assert annotation.sentiment is None or -1 <= annotation.sentiment <= 1


async def test_the_loop_is_free_between_slices(annotator: Annotator, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(step=0.005)
    monkeypatch.setattr(annotator, "_clock", lambda: next(ticks))
    monkeypatch.setattr(module, "_SLICE_CHARACTERS", 100)
    went_on = 0

    async def other() -> None:
        nonlocal went_on
        while True:
            went_on += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    events: list[VocEvent] = [call(GLAD) for _ in range(20)]
    annotations = await annotator.annotate(events)
    beside.cancel()
    assert went_on >= 5
    assert {annotation.topic for annotation in annotations} == {"billing"}


async def test_the_packaged_topics_are_told_by_default() -> None:
    loaded: Callable[[], Annotator] = Annotator.load
    (annotation,) = await loaded().annotate([call("I was charged twice on my card and I would like a refund for that payment please.")])
    assert annotation.topic == "billing"
    assert annotation.topic_confidence is not None
    assert annotation.topic_source not in {"", "none"}


class Opinions:
    """A second opinion that the test writes."""

    def __init__(self, opinions: list[Opinion]) -> None:
        self.opinions = opinions
        self.asked: list[str] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def ask(self, texts: Sequence[str], language: str) -> list[Opinion]:
        assert language == "en"
        self.asked += texts
        return self.opinions


async def test_a_second_opinion_replaces_the_default_where_it_came_in_time() -> None:
    second = Opinions([(0.25, "embed"), (None, "remote-down")])
    annotator = Annotator.load(Remembered, lambda _: second)
    events: list[VocEvent] = [call(GLAD), metric(), call("Tôi muốn hủy đơn hàng của tôi"), call(SAD), call("?!", language="en")]
    better, nothing, foreign, kept, silent = await annotator.annotate(events)
    assert second.asked == [GLAD, SAD]
    assert better[:3] == (0.25, "embed", "en")
    assert kept.sentiment is not None
    assert kept.sentiment < -0.3
    assert kept.sentiment_source == "rule:remote-down"
    assert (nothing, foreign.sentiment, silent.sentiment) == (NOTHING, None, None)
    assert better.topic == kept.topic == foreign.topic == "billing"
