"""A record of a dead-letter topic taken apart: the original byte for byte, and why it is there (spec section 6)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from voc_stream import topics
from voc_stream.clients.letter_rows import State
from voc_stream.runtime.dead_letter import KEPT_BYTES, LONGEST_REASON, PREFIX, fingerprint
from voc_stream.stages.outcome import DeadLetter
from voc_stream.stages.requeue_mark import mark_of, unmarked

# Of an original that is larger, as no stage of ours takes one, its beginning is stored; Kafka has the rest.
MOST_BYTES = 2 << 20
# Records of these topics name their call by their key, also where the value cannot be read.
KEYED_BY_CALL = frozenset(topic.name for topic in topics.CALLS_PIPELINE if topic.key == "call_id")

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CALL_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_FIRST_ADDED = f"{PREFIX}error-type"

AnyHeaders: TypeAlias = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLetter:
    """A dead letter, whole. `repr` shows nothing of the original.

    Attributes:
        topic: the source, where the original was.
        partition: the original's; None where it never was in Kafka (the recorder told of it: stage `poll`).
        offset: as `partition`.
        dlq_topic: where the dead letter itself is.
        written_at: Kafka's timestamp of the dead letter; with its coordinates it names the letter, also when a topic was made anew.
        stage: the stage that gave up.
        error_type: a word.
        reason: a sentence, without payload.
        stack: places in the code.
        fingerprint: equal for the same failure.
        retries: attempts after the first.
        requeues: how often this record was sent back before it failed this time.
        requeued_from: the letter that it was sent back from.
        cut_from: where the original was too large to be kept, the size of its value in bytes; such a letter cannot be sent back.
        key: the original's bytes.
        value: as `key`.
        headers: the original's, without ours and without the mark of a requeue; a value is bytes, or None, which Kafka allows.
        customer: whom the value is about, in the clear; only a pseudonym of it is stored.
        id: as PostgreSQL counts; None before it is stored.
        state: what became of it.
    """

    topic: str
    partition: int | None
    offset: int | None
    dlq_topic: str
    dlq_partition: int
    dlq_offset: int
    written_at: datetime
    stage: str
    tenant_id: str | None
    call_id: str | None
    error_type: str
    reason: str
    stack: str
    fingerprint: str
    retries: int
    first_failed_at: datetime
    last_failed_at: datetime
    requeues: int = 0
    requeued_from: int | None = None
    cut_from: int | None = None
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: AnyHeaders = field(repr=False)
    customer: str | None = field(default=None, repr=False)
    id: int | None = None
    state: State = "open"


def read_letter(record: Any) -> StoredLetter:
    """Take a record of a dead-letter topic apart; what was not written by us is a letter too, of stage `unknown`.

    Args:
        record: the consumer record (topic, partition, offset, timestamp in ms, key, value, headers).
    """
    original, added = _split(record.headers)
    mark = mark_of(original)
    written_at = datetime.fromtimestamp(max(0, record.timestamp) / 1000, UTC)
    topic = added.get("topic", "")[:249] or record.topic.removesuffix(".dlq")
    key, value, headers, cut_from = _kept(record.key, record.value, unmarked(original) if mark else original)
    stage = added.get("stage", "unknown")[:32]
    error_type = added.get("error-type", "unknown")[:64]
    reason = added.get("reason", "the record does not say why it is here")[:LONGEST_REASON]
    about = _about(record.value)
    return StoredLetter(
        topic=topic,
        partition=_number(added.get("partition")),
        offset=_number(added.get("offset")),
        dlq_topic=record.topic,
        dlq_partition=record.partition,
        dlq_offset=record.offset,
        written_at=written_at,
        stage=stage,
        tenant_id=_matching(_TENANT, about.tenant_id),
        call_id=_matching(_CALL_ID, about.call_id) or (_call_of_key(record.key) if topic in KEYED_BY_CALL else None),
        error_type=error_type,
        reason=reason,
        stack=added.get("stack", ""),
        fingerprint=added.get("fingerprint", "")[:64] or fingerprint(stage, DeadLetter(error_type, reason)),
        retries=_number(added.get("retries")) or 0,
        first_failed_at=_time(added.get("first-failure")) or written_at,
        last_failed_at=_time(added.get("last-failure")) or written_at,
        requeues=mark.attempt if mark else 0,
        requeued_from=mark.letter_id if mark else None,
        cut_from=_number(added.get("cut") or added.get("cut-from-bytes")) or cut_from,
        key=key,
        value=value,
        headers=headers,
        customer=next((text for text in (about.customer_id, about.other_parties) if isinstance(text, str) and text), None),
    )


class _About(msgspec.Struct):
    """What a value says of itself, whatever else is wrong with it."""

    tenant_id: Any = None
    call_id: Any = None
    customer_id: Any = None
    other_parties: Any = None


_decode = msgspec.json.Decoder(_About).decode


def _about(value: bytes | None) -> _About:
    try:
        return _decode(value or b"{}")
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        return _About()


def _split(headers: Sequence[tuple[str, Any]]) -> tuple[AnyHeaders, Mapping[str, str]]:
    """Part the headers: ours are the last ones, whatever the original's are called."""
    begin = max((index for index, (name, _) in enumerate(headers) if name == _FIRST_ADDED), default=len(headers))
    added = {name.removeprefix(PREFIX): _text(value) for name, value in headers[begin:] if name.startswith(PREFIX)}
    return tuple((name, value) for name, value in headers[:begin]), added


def _kept(key: bytes | None, value: bytes | None, headers: AnyHeaders) -> tuple[bytes | None, bytes | None, AnyHeaders, int | None]:
    if sum(len(part or b"") for part in (key, value, *(value for _, value in headers))) <= MOST_BYTES:
        return key, value, headers, None
    return key and key[:KEPT_BYTES], value and value[:KEPT_BYTES], (), len(value or b"")


def _text(value: bytes | None) -> str:
    """PostgreSQL holds no NUL in a text."""
    return (value or b"").decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else None


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def _matching(pattern: re.Pattern[str], text: object) -> str | None:
    return text if isinstance(text, str) and pattern.fullmatch(text) else None


def _call_of_key(key: bytes | None) -> str | None:
    return _matching(_CALL_ID, (key or b"").decode("ascii", "replace"))
