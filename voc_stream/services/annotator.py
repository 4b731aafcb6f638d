"""Feeling, language and topic of a window of customer events (spec section 3)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from voc_stream.events.voc import VocEvent, heard_text
from voc_stream.nlp.language import ENGLISH, FUNCTION_WORDS, UNDECIDED, LanguageDetector, declared_language
from voc_stream.nlp.reading import Vocabulary, WordReader, Words
from voc_stream.nlp.sentiment import SentimentScorer, known_words, load_lexicon
from voc_stream.nlp.topics import TopicClassifier
from voc_stream.runtime import metrics
from voc_stream.services.second_opinion import Opinion
from voc_stream.stages.annotation import NOTHING, Annotation

RULE = "rule"
UNSCORED = "unscored"

# The event loop is free again after about so long, and a slice of so many characters takes about as long.
_BUSY_SECONDS = 0.005
_SLICE_CHARACTERS = 100_000

Said = tuple[str, float, str]
"""A topic, how sure it is (0 to 1), and who says so."""


class Topics(Protocol):
    """What annotates topics."""

    def read(
        self, tenants: Sequence[str], texts: Sequence[str], words: Words, sentiments: Sequence[float | None], languages: Sequence[str]
    ) -> Sequence[Said]:
        """Return the topic of each text; `words` are the texts, read."""


class Second(Protocol):
    """A slower and better model, see `SecondOpinion`."""

    async def open(self) -> None:
        """Make it ready."""

    async def close(self) -> None:
        """Let it go."""

    async def ask(self, texts: Sequence[str], language: str) -> Sequence[Opinion]:
        """Return an opinion for each text, within a bounded time; never raises for a model that is down."""


@dataclass(slots=True)
class _Heard:
    """Some texts of a window, with what is known of them so far."""

    places: list[int]
    texts: list[str]
    tenants: list[str]
    words: Words
    languages: list[str]
    sentiments: list[float | None]
    sources: list[str]


class Annotator:
    """Annotates events by what their customer said.

    Args:
        reader: reads the texts; its vocabulary is shared by the three below.
        scorer: the default scorer, by the lexicon.
        detector: tells languages.
        topics: makes what tells topics.
        second: a slower and better model, heard where it answers in time.
        clock: monotonic seconds; replaced in tests.
    """

    def __init__(
        self,
        reader: WordReader,
        scorer: SentimentScorer,
        detector: LanguageDetector,
        topics: Callable[[WordReader], Topics],
        *,
        second: Second | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._scorer = scorer
        self._detector = detector
        self._topics = topics(reader)
        self._second = second
        self._clock = clock
        self._began = 0.0

    @classmethod
    def load(cls, topics: Callable[[WordReader], Topics] = TopicClassifier, second: Callable[[SentimentScorer], Second] | None = None) -> Self:
        """Make an annotator of what is packaged; takes about a second and asks no network.

        Args:
            topics: makes the topic classifier for a reader whose vocabulary holds `TopicClassifier.vocabulary()`.
            second: makes what is heard besides the default scorer.
        """
        lexicon = load_lexicon()
        vocabulary = Vocabulary.of(sorted(known_words(lexicon)), sorted(FUNCTION_WORDS), TopicClassifier.vocabulary())
        reader = WordReader(vocabulary)
        scorer = SentimentScorer(lexicon, reader)
        return cls(reader, scorer, LanguageDetector(vocabulary), topics, second=None if second is None else second(scorer))

    async def open(self) -> None:
        """Make the second model ready, where there is one."""
        if self._second is not None:
            await self._second.open()

    async def close(self) -> None:
        """Let the second model go."""
        if self._second is not None:
            await self._second.close()

    async def annotate(self, events: Sequence[VocEvent]) -> list[Annotation]:
        """Return the annotation of each event, in order. Never raises for a model that is down, and waits for it a bounded time."""
        annotations = [NOTHING] * len(events)
        began = self._began = self._clock()
        window = []
        for places, texts in _slices(events):
            window.append(self._hear([events[at] for at in places], places, texts))
            if self._second is None:
                self._tell(window.pop(), annotations)
            await self._breathe()
        if self._second is not None:
            await self._ask(self._second, window)
            for heard in window:
                self._tell(heard, annotations)
                await self._breathe()
        metrics.ANNOTATE_SECONDS.observe(self._clock() - began)
        return annotations

    async def _ask(self, second: Second, window: Sequence[_Heard]) -> None:
        """Replace the default scores by the second model's where it has them, and say why where it has not."""
        asked = [(heard, at) for heard in window for at, source in enumerate(heard.sources) if source == RULE]
        opinions = await second.ask([heard.texts[at] for heard, at in asked], ENGLISH)
        self._began = self._clock()
        for (heard, at), (score, who) in zip(asked, opinions, strict=True):
            if score is None:
                heard.sources[at] = f"{RULE}:{who}"
            else:
                heard.sentiments[at] = score
                heard.sources[at] = who

    async def _breathe(self) -> None:
        """Let the event loop go on, where it has waited long enough."""
        if self._clock() - self._began >= _BUSY_SECONDS:
            await asyncio.sleep(0)
            self._began = self._clock()

    def _hear(self, events: Sequence[VocEvent], places: list[int], texts: list[str]) -> _Heard:
        """Find the language of texts, and the feeling of those in English."""
        words = self._reader.read(texts)
        declared = [declared_language(getattr(event, "language", None)) for event in events]
        languages = self._detector.languages(texts, words, declared)
        sentiments: list[float | None] = []
        sources = []
        for language, score, spoken in zip(languages, self._scorer.read(words).tolist(), words.count_spoken().tolist(), strict=True):
            if language not in {ENGLISH, UNDECIDED}:
                sentiments.append(None)
                sources.append(f"{UNSCORED}:{language}")
            elif spoken:
                sentiments.append(score)
                sources.append(RULE)
            else:
                sentiments.append(None)
                sources.append(NOTHING.sentiment_source)
        return _Heard(places, texts, [event.tenant_id for event in events], words, languages, sentiments, sources)

    def _tell(self, heard: _Heard, annotations: list[Annotation]) -> None:
        """Write the annotations of texts to their places."""
        topics = self._topics.read(heard.tenants, heard.texts, heard.words, heard.sentiments, heard.languages)
        for at, sentiment, source, language, topic in zip(heard.places, heard.sentiments, heard.sources, heard.languages, topics, strict=True):
            annotations[at] = Annotation(sentiment, source, language, *topic)
        for source, count in Counter(heard.sources).items():
            metrics.ANNOTATED.labels(source.partition(":")[0] if source.startswith(UNSCORED) else source).inc(count)


def _slices(events: Sequence[VocEvent]) -> Iterator[tuple[list[int], list[str]]]:
    """Yield the places and the texts of events that have one, some at a time."""
    places: list[int] = []
    texts: list[str] = []
    characters = 0
    for at, event in enumerate(events):
        text = heard_text(event)
        if text and not text.isspace():
            places.append(at)
            texts.append(text)
            characters += len(text)
            if characters >= _SLICE_CHARACTERS:
                yield places, texts
                places, texts, characters = [], [], 0
    if places:
        yield places, texts
