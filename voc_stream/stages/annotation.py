"""What the application makes of an event's text: feeling, language and topic, each with where it comes from (spec section 3)."""

from __future__ import annotations

from typing import NamedTuple


class Annotation(NamedTuple):
    """The annotation of one event.

    Attributes:
        sentiment: -1 to 1; None where there is nothing to feel about (no text, another language).
        sentiment_source: which scorer said so, `none` where nobody did.
        language: two letters (ISO 639-1), empty where there is no text or no telling.
        topic: one of the topics, or None where there is no text.
        topic_confidence: 0 to 1; None where there is no topic.
        topic_source: which classifier or keyword said so, `none` where nobody did.
    """

    sentiment: float | None = None
    sentiment_source: str = "none"
    language: str = ""
    topic: str | None = None
    topic_confidence: float | None = None
    topic_source: str = "none"


NOTHING = Annotation()
