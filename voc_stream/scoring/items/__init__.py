"""The rubric's items: each a pure function from a conversation and the item's limits to a judgement."""

from voc_stream.scoring.conversation import Conversation
from voc_stream.scoring.items.flow import dead_air, interruptions, speaking_rate, talk_share
from voc_stream.scoring.items.judgement import Evidence, Judgement
from voc_stream.scoring.items.mood import customer_sentiment
from voc_stream.scoring.items.wording import closing, compliance, courtesy, greeting, identification
from voc_stream.scoring.rubric import (
    Closing,
    Compliance,
    Courtesy,
    CustomerSentiment,
    DeadAir,
    Greeting,
    Identification,
    Interruptions,
    Item,
    SpeakingRate,
    TalkShare,
)

__all__ = ["Evidence", "Judgement", "judge"]


def judge(conversation: Conversation, item: Item) -> Judgement:  # noqa: C901, PLR0911 — one line an item
    """Judge one item of the rubric."""
    match item:
        case Greeting():
            return greeting(conversation, item)
        case Identification():
            return identification(conversation, item)
        case Courtesy():
            return courtesy(conversation, item)
        case TalkShare():
            return talk_share(conversation, item)
        case DeadAir():
            return dead_air(conversation, item)
        case Interruptions():
            return interruptions(conversation, item)
        case SpeakingRate():
            return speaking_rate(conversation, item)
        case CustomerSentiment():
            return customer_sentiment(conversation, item)
        case Closing():
            return closing(conversation, item)
        case Compliance():
            return compliance(conversation, item)
