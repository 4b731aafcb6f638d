"""The topics file (the tenants' keywords), as it is now."""

from __future__ import annotations

from typing import TypeAlias

from voc_stream.nlp.topic_keywords import NO_KEYWORDS, TopicKeywords, TopicKeywordsError, parse_topic_keywords
from voc_stream.services.reloaded import ReloadedFile
from voc_stream.settings import Settings

TopicsFile: TypeAlias = ReloadedFile[TopicKeywords]


def topics_file(settings: Settings) -> TopicsFile:
    """Return TOPICS_FILE; without one no tenant has keywords of its own.

    Raises:
        FileError: the file cannot be used.
    """
    return ReloadedFile("TOPICS_FILE", settings.topics_file, parse_topic_keywords, TopicKeywordsError, NO_KEYWORDS)
