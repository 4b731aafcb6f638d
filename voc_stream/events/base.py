"""What every Kafka value has in common, and how values become bytes: the one (de)serialisation seam (spec section 1)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec

# uuid5 namespace of every id that this application derives.
NAMESPACE = uuid.UUID("8f1b2c52-3a3b-5a0e-9d53-5a3f6d1d7c11")

# `$` alone would let a line's end pass.
CallId = Annotated[str, msgspec.Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9._:-]+$(?!\n)")]
TenantId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)")]
AgentId = Annotated[str, msgspec.Meta(max_length=16)]
Skill = Annotated[str, msgspec.Meta(max_length=64)]
Aware = Annotated[datetime, msgspec.Meta(tz=True)]


# Times that every calendar of the house can hold; beyond them, even a change of zone overflows.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Carried by every value: when it was made, and an id that a replay repeats."""

    event_ts: Aware
    ingest_uuid: uuid.UUID

    def __post_init__(self) -> None:
        """Refuse times that cannot be; called by the decoder, too."""
        must_be_time("event_ts", self.event_ts)


def must_be_time(name: str, moment: datetime) -> None:
    """Check that a field's time lies within what the house can hold.

    Raises:
        ValueError: it does not; the message names the field.
    """
    if not EARLIEST <= moment <= LATEST:
        raise ValueError(f"`{name}` is not a time between {EARLIEST.year} and {LATEST.year}")


class MalformedError(Exception):
    """The bytes are not a value of this topic; the message says where and why, without quoting the value."""


W = TypeVar("W", bound=Wire)
_encoder = msgspec.json.Encoder()


def encode(value: msgspec.Struct) -> bytes:
    """JSON bytes of a topic's value."""
    return _encoder.encode(value)


class Decoder:
    """Decodes the values of one topic.

    Args:
        kind: the struct that a value of the topic must be.
    """

    def __init__(self, kind: type[W]) -> None:
        self.kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def __call__(self, value: bytes | None) -> Wire:
        """Decode one value.

        Raises:
            MalformedError: no bytes, not JSON, not UTF-8, too deep, or not of this shape.
        """
        if not value:
            msg = "the record has no value"
            raise MalformedError(msg)
        try:
            decoded: Wire = self._decoder.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
            raise MalformedError(reason(error)) from None
        return decoded


def reason(error: Exception) -> str:
    """Say what a decoder's error means; msgspec names the place (`$.call_id`) but quotes unknown enum or tag values, which may be personal."""
    if isinstance(error, UnicodeDecodeError):
        return "the value is not UTF-8"
    if isinstance(error, RecursionError):
        return "the value is nested too deeply"
    text = str(error)
    head, _, place = text.partition(" - at ")
    head = head.partition("'")[0].strip() or type(error).__name__
    return f"{head} at {place}" if place else head


def derived_id(*parts: str) -> uuid.UUID:
    """Return the id that the same parts always give (uuid5), so that a replay repeats it."""
    return uuid.uuid5(NAMESPACE, "\x1f".join(parts))
