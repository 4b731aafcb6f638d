"""Names that follow from a call alone: its id, its objects in S3 (spec sections 2 and 5)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_CALL_ID = re.compile(r"[A-Za-z0-9._:-]{1,32}")
_UNSAFE_IN_KEY = re.compile(r"[^A-Za-z0-9._-]")
_UNSAFE_IN_TAG = re.compile(r"[^\w +\-=.:/@]")


def call_id_of(inum: str, recorder_id: str) -> str:
    """Return the call_id of a recorder's inum: with several recorders, `AVAYA_RECORDER_ID` prefixes it.

    Raises:
        ValueError: it would not be a call_id; the message is a sentence for a person.
    """
    call_id = f"{recorder_id}-{inum}" if recorder_id else inum
    if not inum:
        msg = "it has no inum"
        raise ValueError(msg)
    if not _CALL_ID.fullmatch(call_id):
        msg = "its inum is too long or has characters that a call_id cannot have"
        raise ValueError(msg)
    return call_id


def inum_of(call_id: str, recorder_id: str) -> str:
    """Return the recorder's inum of a call_id; the inverse of `call_id_of`."""
    return call_id.removeprefix(f"{recorder_id}-") if recorder_id else call_id


def recording_key(call_id: str, started_at: datetime) -> str:
    """Return the S3 key of a recording; the date is the call's start in UTC.

    Raises:
        ValueError: `call_id` is not one.
    """
    return f"raw/{_day(started_at)}/{_checked(call_id)}.wav"


def transcript_key(call_id: str, asr_model: str, started_at: datetime) -> str:
    """Return the S3 key of a transcript; the date is the call's start in UTC.

    Raises:
        ValueError: `call_id` is not one.
    """
    return f"transcripts/{_day(started_at)}/{_checked(call_id)}_{_UNSAFE_IN_KEY.sub('_', asr_model)}.json"


def tag_value(text: str) -> str:
    """Return the text as an S3 tag may hold it: letters, digits, space and ``+-=._:/@``, at most 256 characters."""
    return _UNSAFE_IN_TAG.sub("_", text)[:256]


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y/%m/%d")


def _checked(call_id: str) -> str:
    if not _CALL_ID.fullmatch(call_id):
        msg = "not a call_id"
        raise ValueError(msg)
    return call_id
