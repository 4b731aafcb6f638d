"""The tenants' own keywords: a readable file in which a tenant says which words mean which topic."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voc_stream.nlp.words import words_of

LONGEST_TOPIC = 64

Phrases = Mapping[str, Sequence[tuple[tuple[str, ...], str]]]
"""By first word: the phrases that begin with it, longest first, each with its topic."""


class TopicKeywordsError(Exception):
    """The file cannot be used; the message is one line that names the place."""


@dataclass(frozen=True, slots=True)
class TopicKeywords:
    """Phrases of each tenant."""

    tenants: Mapping[str, Phrases] = field(default_factory=dict)

    def has(self, tenant_id: str) -> bool:
        """Whether the tenant has keywords."""
        return tenant_id in self.tenants

    def topic_of(self, tenant_id: str, text: str) -> str | None:
        """Return the topic of the first keyword in the text, of the longest where several begin there; None where there is none."""
        phrases = self.tenants.get(tenant_id)
        if not phrases:
            return None
        words = words_of(text)
        if phrases.keys().isdisjoint(words):
            return None
        for at, word in enumerate(words):
            for phrase, topic in phrases.get(word, ()):
                if tuple(words[at : at + len(phrase)]) == phrase:
                    return topic
        return None


NO_KEYWORDS = TopicKeywords()


def parse_topic_keywords(text: str) -> TopicKeywords:
    """Read the TOML text of a topics file: a table a tenant, topic = ["keyword", "several words", ...].

    Raises:
        TopicKeywordsError: not TOML, not such a table, a keyword without words, or one that stands for two topics.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TopicKeywordsError(f"not TOML: {error}") from None
    return TopicKeywords({tenant: _phrases(tenant, table) for tenant, table in tables.items()})


def _phrases(tenant: str, table: Any) -> Phrases:
    if not isinstance(table, dict):
        raise TopicKeywordsError(f'{tenant} is not a table: write [{tenant}] and below it topic = ["keyword", ...]')
    topic_of: dict[tuple[str, ...], str] = {}
    for topic, keywords in table.items():
        if not 0 < len(topic) <= LONGEST_TOPIC:
            raise TopicKeywordsError(f"[{tenant}]: a topic's name has 1 to {LONGEST_TOPIC} characters")
        for phrase in _words(f"[{tenant}] {topic}", keywords):
            if topic_of.setdefault(phrase, topic) != topic:
                raise TopicKeywordsError(f'[{tenant}] {topic}: "{" ".join(phrase)}" already stands for {topic_of[phrase]}')
    by_first: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for phrase, topic in sorted(topic_of.items(), key=lambda item: -len(item[0])):
        by_first.setdefault(phrase[0], []).append((phrase, topic))
    return by_first


def _words(where: str, keywords: Any) -> Iterator[tuple[str, ...]]:
    if not isinstance(keywords, list):
        raise TopicKeywordsError(f'{where}: not a list of keywords; write ["keyword", "several words"]')
    for keyword in keywords:
        phrase = tuple(words_of(keyword)) if isinstance(keyword, str) else ()
        if not phrase:
            raise TopicKeywordsError(f"{where}: a keyword is a text with at least one word")
        yield phrase
