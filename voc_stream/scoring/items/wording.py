"""Items that look for what is said: greeting, identification, courtesy, closing, compliance."""

from __future__ import annotations

from collections.abc import Iterable

from voc_stream.scoring.conversation import Conversation, Speaker
from voc_stream.scoring.items.judgement import MOST_EVIDENCE, Evidence, Judgement, cannot_tell, ramp
from voc_stream.scoring.phrases import Found, find
from voc_stream.scoring.rubric import Closing, Compliance, Courtesy, Greeting, Identification

_EVERYBODY: tuple[Speaker, ...] = ("agent", "customer", "unknown")
_AGENT: tuple[Speaker, ...] = ("agent",)


def greeting(conversation: Conversation, item: Greeting) -> Judgement:
    """All points if the agent greets in the first seconds."""
    missing = cannot_tell(conversation, words=True, speakers=True)
    return missing or _said(_early(conversation, item.phrases, item.within_seconds, _AGENT), "greeting", f"in the first {item.within_seconds:g} s")


def identification(conversation: Conversation, item: Identification) -> Judgement:
    """Half the points for the agent's name, half for the company's."""
    missing = cannot_tell(conversation, words=True, speakers=True)
    if missing:
        return missing
    name = _early(conversation, item.name_phrases, item.within_seconds, _AGENT)[:1]
    company = _early(conversation, item.company_phrases, item.within_seconds, _AGENT)[:1]
    detail = f"The agent's name was {'given' if name else 'not heard'}, the company's {'given' if company else 'not heard'}."
    return Judgement((bool(name) + bool(company)) / 2, detail, tuple(Evidence.of(found) for found in name + company))


def courtesy(conversation: Conversation, item: Courtesy) -> Judgement:
    """Points by the courtesy words a minute of the agent's own speech."""
    missing = cannot_tell(conversation, words=True, speakers=True)
    if missing:
        return missing
    found = list(find(item.phrases, conversation.turns_of("agent")))
    rate = 60 * len(found) / max(conversation.talk_seconds("agent"), 1.0)
    share = ramp(rate, zero_at=item.zero_at_per_minute, full_at=item.full_at_per_minute)
    detail = f"{len(found)} courtesy words, {rate:.1f} a minute of the agent's speech ({item.full_at_per_minute:g} give all points)."
    return Judgement(share, detail, tuple(Evidence.of(one) for one in found[:MOST_EVIDENCE]))


def closing(conversation: Conversation, item: Closing) -> Judgement:
    """All points if the agent closes the call in its last seconds."""
    missing = cannot_tell(conversation, words=True, speakers=True)
    if missing:
        return missing
    last = max((turn.end for turn in conversation.turns), default=0.0)
    found = [one for one in find(item.phrases, conversation.turns_of("agent")) if one.start >= last - item.within_seconds]
    return _said(found, "closing", f"in the last {item.within_seconds:g} s")


def compliance(conversation: Conversation, item: Compliance) -> Judgement:
    """All points if anybody, an announcement included, says that the call is recorded; so it needs no speakers."""
    missing = cannot_tell(conversation, words=True, speakers=False)
    if missing:
        return missing
    found = _early(conversation, item.phrases, item.within_seconds, _EVERYBODY)
    return _said(found, "notice that the call is recorded", f"in the first {item.within_seconds:g} s")


def _early(conversation: Conversation, phrases: Iterable[str], within: float, speakers: tuple[Speaker, ...]) -> list[Found]:
    first = min((turn.start for turn in conversation.turns), default=0.0)
    return [found for found in find(phrases, conversation.turns_of(*speakers)) if found.start <= first + within]


def _said(found: list[Found], what: str, where: str) -> Judgement:
    if not found:
        return Judgement(0.0, f"No {what} was heard {where}.")
    return Judgement(1.0, f"A {what} was heard {where}.", tuple(Evidence.of(one) for one in found[:MOST_EVIDENCE]))
