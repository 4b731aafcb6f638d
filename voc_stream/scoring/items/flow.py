"""Items that look at how the talk flows: talk share, dead air, interruptions, speaking rate."""

from __future__ import annotations

from voc_stream.scoring.conversation import Conversation, Span
from voc_stream.scoring.items.judgement import MOST_EVIDENCE, Evidence, Judgement, band, cannot_tell, ramp
from voc_stream.scoring.rubric import DeadAir, Interruptions, SpeakingRate, TalkShare


def talk_share(conversation: Conversation, item: TalkShare) -> Judgement:
    """Points by the agent's share of all speech."""
    missing = cannot_tell(conversation, words=False, speakers=True)
    if missing:
        return missing
    agent, customer = conversation.talk_seconds("agent"), conversation.talk_seconds("customer")
    part = agent / (agent + customer) if agent + customer else 0.0
    low, high = item.full_between
    detail = f"The agent speaks {agent:.0f} s of {agent + customer:.0f} s, {part:.0%} ({low:.0%} to {high:.0%} give all points)."
    return Judgement(band(part, full=item.full_between, zero=item.zero_outside), detail)


def dead_air(conversation: Conversation, item: DeadAir) -> Judgement:
    """Points by the share of the time between first and last word in which nobody speaks, the first seconds of each pause left out."""
    talk = sorted((span for spans in conversation.talk.values() for span in spans), key=lambda span: span.start)
    pauses = [pause for pause in _pauses(talk) if pause.seconds > item.ignore_seconds]
    between = max((span.end for span in talk), default=0.0) - min((span.start for span in talk), default=0.0)
    silent = sum(pause.seconds - item.ignore_seconds for pause in pauses)
    part = silent / between if between else 0.0
    longest = sorted(pauses, key=lambda pause: -pause.seconds)[:MOST_EVIDENCE]
    detail = f"{len(pauses)} pauses over {item.ignore_seconds:g} s, {silent:.0f} s beyond that, {part:.0%} of the talk."
    evidence = tuple(Evidence("", pause.start, pause.end, "unknown") for pause in longest)
    return Judgement(ramp(part, zero_at=item.zero_at_share, full_at=item.full_at_share), detail, evidence)


def interruptions(conversation: Conversation, item: Interruptions) -> Judgement:
    """Points by how often the agent starts to speak into the customer's speech and goes on."""
    missing = cannot_tell(conversation, words=False, speakers=True)
    if missing:
        return missing
    customer = conversation.talk["customer"]
    cut = [span for span in conversation.talk["agent"] if span.seconds >= item.least_seconds and _cuts_into(span, customer, item.overlap_seconds)]
    rate = 60 * len(cut) / max(conversation.duration, 1.0)
    evidence = tuple(Evidence(_words_at(conversation, span), span.start, span.end, "agent") for span in cut[:MOST_EVIDENCE])
    detail = f"The agent interrupts {len(cut)} times, {rate:.1f} a minute ({item.full_at_per_minute:g} or fewer give all points)."
    return Judgement(ramp(rate, zero_at=item.zero_at_per_minute, full_at=item.full_at_per_minute), detail, evidence)


def speaking_rate(conversation: Conversation, item: SpeakingRate) -> Judgement:
    """Points by the agent's words a minute of the agent's own speech."""
    missing = cannot_tell(conversation, words=True, speakers=True)
    if missing:
        return missing
    words = sum(len(turn.words) for turn in conversation.turns_of("agent"))
    if words < item.least_words:
        return Judgement(None, f"Not applicable: the agent says {words} words; under {item.least_words} tell no rate.")
    rate = 60 * words / max(conversation.talk_seconds("agent"), 1.0)
    low, high = item.full_between
    detail = f"The agent speaks {rate:.0f} words a minute ({low:g} to {high:g} give all points)."
    return Judgement(band(rate, full=item.full_between, zero=item.zero_outside), detail)


def _pauses(talk: list[Span]) -> list[Span]:
    pauses: list[Span] = []
    heard_until = talk[0].end if talk else 0.0
    for span in talk[1:]:
        if span.start > heard_until:
            pauses.append(Span(heard_until, span.start))
        heard_until = max(heard_until, span.end)
    return pauses


def _cuts_into(agent: Span, customer: tuple[Span, ...], overlap: float) -> bool:
    return any(span.start < agent.start - overlap and min(span.end, agent.end) - agent.start >= overlap for span in customer)


def _words_at(conversation: Conversation, span: Span) -> str:
    words = (word for turn in conversation.turns_of("agent") for word in turn.words)
    return " ".join(word.text for word in words if word.end > span.start and word.start < span.end)
