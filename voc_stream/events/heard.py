"""What of an event is read for feeling and topic (spec section 3)."""

from __future__ import annotations

from voc_stream.events.calls import Turn
from voc_stream.events.voc_types import CallEvent, VocEvent

# More of one call tells no more of its customer, and must not hold up the others: about an hour of one person's speech.
MOST_CHARACTERS = 50_000

_CUSTOMER = "customer"
_KNOWN = frozenset({_CUSTOMER, "agent"})


def heard_text(event: VocEvent) -> str:
    """Return what the customer said, at most `MOST_CHARACTERS` of it; empty where nothing was said.

    For a call these are the customer's turns, a line each. Where no turn says who speaks (agent or customer), it is the transcript,
    and without one all turns. Actions, tools and metrics hold no customer's words: empty.
    """
    if type(event) is not CallEvent:  # isinstance goes through the ABCMeta of msgspec's Structs
        return ""
    turns = event.turns
    if not turns:
        return (event.transcript or "")[:MOST_CHARACTERS]
    speakers = {turn.speaker for turn in turns}
    if not any(_speaker(name) in _KNOWN for name in speakers):
        return event.transcript[:MOST_CHARACTERS] if event.transcript else _joined(turns)
    customers = {name for name in speakers if _speaker(name) == _CUSTOMER}
    return _joined(tuple(turn for turn in turns if turn.speaker in customers))


def _speaker(name: str) -> str:
    return name.strip().lower()


def _joined(turns: tuple[Turn, ...]) -> str:
    return "\n".join(turn.text for turn in turns)[:MOST_CHARACTERS]
