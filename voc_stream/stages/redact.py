"""What of a scorer's answer may go on: words with marks in the place of personal data; times and points stay (docs/privacy.md)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from voc_stream.events.calls import BreakdownItem, Transcript
from voc_stream.nlp.redaction import Names, Redactor

# A name of the recorder's free text that says who somebody is: `name=Jane Roe;card=…`.
_NAMES = "name"


def names_in(udfs: str) -> list[str]:
    """Return the people whom the recorder's customer data names."""
    members = (member.partition("=") for member in udfs.split(";"))
    return [value.strip() for key, _, value in members if _NAMES in key.lower() and value.strip()]


def redacted_transcript(transcript: Transcript, redactor: Redactor, names: Names) -> Transcript:
    """Return the transcript with every turn redacted; a number that goes on from turn to turn is read turn by turn."""
    turns = tuple(msgspec.structs.replace(turn, text=redactor.redact(turn.text, names)) for turn in transcript.turns)
    return msgspec.structs.replace(transcript, turns=turns)


def redacted_breakdown(items: Sequence[BreakdownItem], redactor: Redactor, names: Names) -> tuple[BreakdownItem, ...]:
    """Return the items with their sentences and quotes redacted."""
    return tuple(
        msgspec.structs.replace(
            item,
            detail=redactor.redact(item.detail, names),
            evidence=tuple(msgspec.structs.replace(each, quote=redactor.redact(each.quote, names)) for each in item.evidence),
        )
        for item in items
    )
