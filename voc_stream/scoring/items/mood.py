"""The customer's sentiment at the end of the call, against its start."""

from __future__ import annotations

from collections.abc import Sequence

from voc_stream.scoring.conversation import Conversation, Mood
from voc_stream.scoring.items.judgement import Evidence, Judgement, cannot_tell, ramp
from voc_stream.scoring.rubric import CustomerSentiment


def customer_sentiment(conversation: Conversation, item: CustomerSentiment) -> Judgement:
    """Points by the mean of the last third of the customer's sentences plus half of its change since the first third."""
    missing = cannot_tell(conversation, words=True, speakers=True)
    if missing:
        return missing
    moods = conversation.moods
    if len(moods) < item.least_sentences:
        return Judgement(None, f"Not applicable: the customer says {len(moods)} sentences; under {item.least_sentences} tell no mood.")
    third = max(1, len(moods) // 3)
    first, last = _mean(moods[:third]), _mean(moods[-third:])
    strongest = (max(part, key=lambda mood: abs(mood.score)) for part in (moods[:third], moods[-third:]))
    return Judgement(
        ramp(last + (last - first) / 2, zero_at=item.zero_at, full_at=item.full_at),
        f"The customer's sentiment goes from {first:+.2f} to {last:+.2f} (-1 to 1).",
        tuple(Evidence(mood.quote, mood.start, mood.end, "customer") for mood in strongest if mood.score),
    )


def _mean(moods: Sequence[Mood]) -> float:
    return sum(mood.score for mood in moods) / len(moods)
