"""A dead letter: the original byte for byte, and why, in headers (spec section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.runtime.world import BEGAN, TOPIC, record
from voc_stream.errors import RejectedError
from voc_stream.runtime.dead_letter import (
    KEPT_BYTES,
    LONGEST_REASON,
    cut,
    dead_letter_record,
    dead_letter_topic,
    fingerprint,
    frames,
    publish_letters,
)
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.stages.outcome import DeadLetter, Facts

FACTS = Facts(now=BEGAN, topic=TOPIC, partition=3, offset=17, attempt=5)
LETTER = DeadLetter("attempts_exhausted", "scorer: it answered 500 (after 5 attempts)")


@given(st.none() | st.binary(), st.binary(), st.lists(st.tuples(st.text(), st.binary())))
def test_key_value_and_headers_are_kept_byte_for_byte_and_in_order(key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]) -> None:
    letter = dead_letter_record(record(17, value, key=key, headers=tuple(headers), partition=3), FACTS, "score", LETTER)

    assert (letter.key, letter.value, letter.partition) == (key, value, 3)
    assert letter.topic == "notes.dlq"
    assert list(letter.headers[: len(headers)]) == headers


def test_the_headers_say_what_went_wrong_where_and_when() -> None:
    facts = replace(FACTS, failing_since=BEGAN.replace(minute=1), now=BEGAN.replace(minute=2))
    headers = dict(dead_letter_record(record(17, partition=3), facts, "score", LETTER).headers)

    assert headers == {
        "voc-dlq-error-type": b"attempts_exhausted",
        "voc-dlq-reason": b"scorer: it answered 500 (after 5 attempts)",
        "voc-dlq-stage": b"score",
        "voc-dlq-retries": b"4",
        "voc-dlq-topic": b"notes",
        "voc-dlq-partition": b"3",
        "voc-dlq-offset": b"17",
        "voc-dlq-first-failure": b"2026-11-22T06:01:00+00:00",
        "voc-dlq-last-failure": b"2026-11-22T06:02:00+00:00",
        "voc-dlq-fingerprint": fingerprint("score", LETTER).encode(),
        "voc-dlq-stack": b"",
    }


def test_the_stack_names_places_and_no_values() -> None:
    secret = "4111 1111 1111 1111"

    def refuse(card: str) -> None:
        raise ValueError(card)

    try:
        refuse(secret)
    except ValueError as error:
        stack = frames(error)

    assert "refuse" in stack
    assert "test_dead_letter" in stack
    assert secret not in stack


def test_a_failure_at_the_first_attempt_is_the_first_and_the_last() -> None:
    headers = dict(dead_letter_record(record(17), replace(FACTS, attempt=1), "score", LETTER).headers)

    assert headers["voc-dlq-first-failure"] == headers["voc-dlq-last-failure"] == b"2026-11-22T06:00:00+00:00"
    assert headers["voc-dlq-retries"] == b"0"


def test_a_long_reason_is_cut() -> None:
    letter = dead_letter_record(record(17), FACTS, "score", DeadLetter("rejected", "x" * 10_000))

    assert dict(letter.headers)["voc-dlq-reason"] == b"x" * LONGEST_REASON


def test_a_dead_letter_topic_has_no_dead_letter_topic() -> None:
    assert dead_letter_topic("calls.raw") == "calls.raw.dlq"
    assert dead_letter_topic("calls.raw.dlq") == "calls.raw.dlq"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("it answered 500 (after 5 attempts)", "it answered 503 (after 3 attempts)"),
        ("unknown field 'name'", "unknown field 'card'"),
        ('no such file "a"', 'no such file "b"'),
        ("object 0123456789abcdef is gone", "object fedcba9876543210 is gone"),
    ],
)
def test_the_same_failure_of_other_records_has_the_same_fingerprint(one: str, other: str) -> None:
    assert fingerprint("score", DeadLetter("x", one)) == fingerprint("score", DeadLetter("x", other))


def test_other_failures_have_other_fingerprints() -> None:
    prints = {
        fingerprint(stage, DeadLetter(error_type, reason))
        for stage in ("score", "download")
        for error_type in ("x", "y")
        for reason in ("down", "gone")
    }

    assert len(prints) == 8


def test_a_letter_that_fits_nowhere_keeps_its_beginning_its_place_and_its_size() -> None:
    whole = dead_letter_record(
        record(17, b"v" * 10_000_000, key=b"k" * 100_000, headers=(("big", b"h" * 10_000_000),), partition=3), FACTS, "s", LETTER
    )
    letter = cut(whole)

    assert (letter.topic, letter.partition, letter.key, letter.value) == (whole.topic, 3, b"k" * KEPT_BYTES, b"v" * KEPT_BYTES)
    assert letter.headers == (*whole.headers[1:], ("voc-dlq-cut", b"10000000"))


def test_a_letter_without_key_or_value_has_none_when_cut() -> None:
    letter = cut(Outgoing("notes.dlq", None, None))
    assert (letter.key, letter.value) == (None, None)


class Small:
    """A topic that takes letters of up to 100 kB."""

    def __init__(self) -> None:
        self.there: list[Outgoing] = []

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        if any(len(letter.value or b"") > 100_000 for letter in records):
            raise RejectedError("kafka", "a record is larger than Kafka takes")
        self.there += records
        return []


async def test_of_many_letters_only_the_one_that_is_too_large_is_cut() -> None:
    topic = Small()
    await publish_letters(topic, [Outgoing("notes.dlq", None, value) for value in (b"a", b"b" * 200_000, b"c")])
    assert [letter.value for letter in topic.there] == [b"a", b"b" * KEPT_BYTES, b"c"]
