"""A dead letter: the original key, value and headers byte for byte, and why, in headers of its own (spec section 6)."""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Sequence
from typing import Any

from voc_stream.errors import RejectedError
from voc_stream.logs import get_logger
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.stage import Publishes
from voc_stream.stages.outcome import DeadLetter, Facts

logger = get_logger(__name__)

PREFIX = "voc-dlq-"
LONGEST_REASON = 2000
DEEPEST_STACK = 12
# What is kept of key and value where the whole fits into no topic.
KEPT_BYTES = 64 << 10


def dead_letter_topic(topic: str) -> str:
    """Return the name of a topic's dead-letter twin; a dead-letter topic has none of its own."""
    return topic if topic.endswith(".dlq") else f"{topic}.dlq"


def dead_letter_record(record: Any, facts: Facts, stage: str, letter: DeadLetter) -> Outgoing:
    """Return what to publish: Kafka's record as it was, with headers `voc-dlq-…` added that hold no payload.

    Args:
        record: the consumer record (key, value, headers, partition).
        facts: which record and attempt it is.
        stage: the stage that gave up.
        letter: why.
    """
    added = {
        "error-type": letter.error_type,
        "reason": letter.reason[:LONGEST_REASON],
        "stage": stage,
        "retries": str(facts.attempt - 1),
        "topic": facts.topic,
        "partition": str(facts.partition),
        "offset": str(facts.offset),
        "first-failure": (facts.failing_since or facts.now).isoformat(),
        "last-failure": facts.now.isoformat(),
        "fingerprint": fingerprint(stage, letter),
        "stack": letter.stack,
    }
    headers = (*record.headers, *((f"{PREFIX}{name}", value.encode()) for name, value in added.items()))
    return Outgoing(dead_letter_topic(facts.topic), record.key, record.value, headers, facts.partition)


def cut(letter: Outgoing) -> Outgoing:
    """Return what is left of a dead letter that Kafka finds too large: the beginnings of key and value, our headers, and `voc-dlq-cut`.

    The source's limit is of compressed batches, and its producer may have compressed better than we do. The header holds the value's whole size.
    """
    headers = tuple((name, value) for name, value in letter.headers if name.startswith(PREFIX))
    size = (f"{PREFIX}cut", str(len(letter.value or b"")).encode())
    key, value = (part and part[:KEPT_BYTES] for part in (letter.key, letter.value))
    return Outgoing(letter.topic, key, value, (*headers, size), letter.partition)


async def publish_letters(publisher: Publishes, letters: Sequence[Outgoing]) -> None:
    """Publish dead letters; one that its topic finds too large is cut.

    Raises:
        OutageError: Kafka did not acknowledge all of them.
        RejectedError: a topic refuses even what was cut. There is no dead letter of a dead letter: its record must wait.
    """
    try:
        await publisher.publish(letters)
    except RejectedError:
        if len(letters) > 1:
            for letter in letters:
                await publish_letters(publisher, [letter])
            return
        letter = letters[0]
        logger.warning("a dead letter is too large for its topic: it is cut", topic=letter.topic, bytes=len(letter.value or b""))
        await publisher.publish([cut(letter)])


def frames(error: BaseException) -> str:
    """Return where an error came from, outermost first: module, function and line of each frame, and none of their values."""
    places = [(frame.f_globals.get("__name__", "?"), frame.f_code.co_name, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return " > ".join(f"{module}.{function}:{line}" for module, function, line in places[-DEEPEST_STACK:])


def fingerprint(stage: str, letter: DeadLetter) -> str:
    """Return 16 hex digits that are equal for the same failure: stage, error type, reason without its numbers and quoted words."""
    normal = re.sub(r"'[^']*'|\"[^\"]*\"|[0-9a-f]{8,}|\d+", "#", letter.reason.lower())
    return hashlib.sha256(f"{stage}\x1f{letter.error_type}\x1f{normal}".encode()).hexdigest()[:16]
