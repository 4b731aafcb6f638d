"""What a customer's text is about (spec section 3).

A tenant's keywords come first, then complaint and praise, told by feeling and words, then the learned head.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from voc_stream.nlp.reading import Vocabulary, WordReader, Words
from voc_stream.nlp.topic_head import Floats, HeadWeights, Judged, Pair, TopicHead
from voc_stream.nlp.topic_keywords import NO_KEYWORDS, TopicKeywords

TOPICS = ("account", "agent", "billing", "cancellation", "complaint", "delivery", "praise", "technical", "other")
OTHER, COMPLAINT, PRAISE = "other", "complaint", "praise"
KEYWORD, RULE = "keyword", "rule"

# Below it the head's best guess is not told; above the other, a subject stands whatever the customer feels. Chosen on the training texts.
LEAST_CONFIDENCE = 0.35
SURE = 0.6
FELT = 0.2
FELT_STRONGLY = 0.5
# So many words of displeasure, in an unhappy text, are a complaint whatever it is about.
PLAIN = 2
# Of English text nearly every word is known, and most pairs; fewer known than this share of its words, and it is no English.
LEAST_KNOWN = 0.3

ENGLISH = "en"

Places = NDArray[np.int64]
Truths = NDArray[np.bool_]

_RULES = "topic_rules.toml"
_TAKEN_BACK = ("no", "not", "never", "without")


class Topic(NamedTuple):
    """A text's topic.

    Attributes:
        topic: one of `TOPICS`.
        confidence: 0 to 1: 1 for a keyword, the strength of feeling for a rule, the head's probability otherwise (for `other` below the
            threshold: how improbable its best guess is).
        source: `keyword` (a tenant's), `rule` (complaint and praise), or the version of the head.
    """

    topic: str
    confidence: float
    source: str


class TopicClassifier:
    """Classifies texts. Pure but for what its reader remembers; safe in any number of threads.

    Args:
        reader: reads texts; its vocabulary holds at least `TopicClassifier.vocabulary()`.
        keywords: the tenants' own keywords as they are now.
    """

    def __init__(self, reader: WordReader, keywords: Callable[[], TopicKeywords] = lambda: NO_KEYWORDS) -> None:
        weights = HeadWeights.load()
        self._head = TopicHead(weights, reader.vocabulary, _marks())
        self._version = weights.version
        self._names = (*weights.classes, COMPLAINT, PRAISE)
        self._other = weights.classes.index(OTHER)
        self._reader = reader
        self._keywords = keywords

    @classmethod
    def load(cls, keywords: Callable[[], TopicKeywords] = lambda: NO_KEYWORDS) -> Self:
        """Make a classifier with a reader of its own."""
        return cls(WordReader(Vocabulary.of(cls.vocabulary())), keywords)

    @staticmethod
    def vocabulary() -> Iterable[str]:
        """Return the words that a reader's vocabulary must hold."""
        of_marks = (gram for mark in _marks() for gram in mark)
        return dict.fromkeys([*HeadWeights.load().words, *(word for gram in of_marks for word in (gram if isinstance(gram, tuple) else (gram,)))])

    def classify(self, tenant_id: str, text: str, sentiment: float | None) -> Topic:
        """Return the topic of one text; many at once cost much less each."""
        return self.classify_many([tenant_id], [text], [sentiment])[0]

    def classify_many(self, tenants: Sequence[str], texts: Sequence[str], sentiments: Sequence[float | None]) -> list[Topic]:
        """Return the topics of texts; `sentiments` are -1 to 1, None where the feeling is not known."""
        return self.read(tenants, texts, self._reader.read(texts), sentiments)

    def read(
        self, tenants: Sequence[str], texts: Sequence[str], words: Words, sentiments: Sequence[float | None], languages: Sequence[str] = ()
    ) -> list[Topic]:
        """Return the topics of texts that were read by a reader of the same vocabulary.

        Args:
            tenants: whose keywords count, one a text.
            texts: what was read.
            words: the texts' words.
            sentiments: -1 to 1, None where the feeling is not known.
            languages: two letters, empty where nobody knows; in other languages than English a text has a tenant's keyword or no topic.
        """
        topics = self._judged(words, sentiments)
        for at, language in enumerate(languages):
            if language and language != ENGLISH:
                topics[at] = Topic(OTHER, 0.0, self._version)
        keywords = self._keywords()
        for at, tenant in enumerate(tenants):
            if keywords.has(tenant) and (topic := keywords.topic_of(tenant, texts[at])):
                topics[at] = Topic(topic, 1.0, KEYWORD)
        return topics

    def _judged(self, words: Words, sentiments: Sequence[float | None]) -> list[Topic]:
        judged = self._head.judge(words)
        felt = np.array([sentiment or 0.0 for sentiment in sentiments])
        sure = judged.probabilities.max(axis=1)
        code = judged.probabilities.argmax(axis=1)
        complains, praises = self._ruled(judged, code, sure, felt)
        # The head's word: its best guess, or `other` where that is improbable or the words are not of its language.
        foreign = judged.known < LEAST_KNOWN * np.maximum(words.lengths, 1)
        code[foreign | (sure < LEAST_CONFIDENCE)] = self._other
        confidence = np.where(foreign, 0.0, np.where(sure < LEAST_CONFIDENCE, 1 - sure, sure))
        ruled = complains | praises
        code[complains], code[praises] = len(self._names) - 2, len(self._names) - 1
        confidence = np.where(ruled, (1 + np.abs(felt)) / 2, confidence)
        names, sources = self._names, (self._version, RULE)
        return [
            Topic(names[topic], certainty, sources[by_rule])
            for topic, certainty, by_rule in zip(code.tolist(), confidence.tolist(), ruled.tolist(), strict=True)
        ]

    def _ruled(self, judged: Judged, best: Places, sure: Floats, felt: NDArray[np.float64]) -> tuple[Truths, Truths]:
        """Return which texts are complaint and which praise: the head is not sure of a subject, or the text is plain enough."""
        complaint, displeased, pleased = judged.marks.T
        unsure = sure < SURE
        free = unsure | (best == self._other)
        unhappy = (felt <= -FELT) & ((displeased >= PLAIN) | (free & (displeased > 0)))
        complains = (complaint > 0) | unhappy | (unsure & (felt <= -FELT_STRONGLY))
        return complains, ~complains & free & (pleased > 0) & (felt >= FELT)


def _marks() -> tuple[Mapping[str | Pair, float], ...]:
    rules = tomllib.loads((files(__package__) / _RULES).read_text(encoding="utf-8"))
    return tuple(_mark(rules[name]) for name in ("complaint", "displeased", "pleased"))


def _mark(phrases: Iterable[str]) -> dict[str | Pair, float]:
    grams = [tuple(phrase.split()) for phrase in phrases]
    mark: dict[str | Pair, float] = {}
    for gram in grams:
        if len(gram) == 1:
            mark[gram[0]] = 1.0
            mark |= {(word, gram[0]): -1.0 for word in _TAKEN_BACK}
    return mark | {(gram[0], gram[1]): 1.0 for gram in grams if len(gram) == 2}
