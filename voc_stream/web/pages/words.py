"""Names in the data as a person says them: sentences for the catalogues, shown by `_()`. A name that is not here is shown as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from markupsafe import escape

from voc_stream.web.texts import N_


class Word(NamedTuple):
    """What something is called, and how it strikes: good, warn, bad, info or quiet."""

    text: str
    tone: str = "quiet"


STATUSES: Mapping[str, Word] = {
    "PENDING_DOWNLOAD": Word(N_("Waiting for the recording"), "info"),
    "DOWNLOADED": Word(N_("Being scored"), "info"),
    "SCORED": Word(N_("Scored")),
    "NOT_SCORABLE": Word(N_("Cannot be scored"), "quiet"),
    "MISSING": Word(N_("Recording is missing"), "warn"),
    "ERROR": Word(N_("Failed"), "bad"),
}
REASONS: Mapping[str, Word] = {
    "empty": Word(N_("The recording holds no audio.")),
    "silent": Word(N_("The recording is silent.")),
    "truncated": Word(N_("The recording was cut off.")),
    "one_sided": Word(N_("Only one side is heard.")),
    "not_speech": Word(N_("There is sound, but hardly any speech.")),
    "too_short": Word(N_("The recording is too short to be judged.")),
}
TOPICS: Mapping[str, Word] = {
    "account": Word(N_("Account")),
    "agent": Word(N_("Asks for a person")),
    "billing": Word(N_("Billing")),
    "cancellation": Word(N_("Cancellation")),
    "complaint": Word(N_("Complaint"), "bad"),
    "delivery": Word(N_("Delivery")),
    "praise": Word(N_("Praise"), "good"),
    "technical": Word(N_("Technical")),
    "other": Word(N_("Other")),
}
SPEAKERS: Mapping[str, Word] = {
    "agent": Word(N_("Agent"), "agent"),
    "customer": Word(N_("Customer"), "customer"),
    "unknown": Word(N_("Unknown speaker"), "unknown"),
}
ITEMS: Mapping[str, Word] = {
    "greeting": Word(N_("Greeting")),
    "identification": Word(N_("Says who is calling")),
    "courtesy": Word(N_("Courtesy")),
    "talk_share": Word(N_("Share of speech")),
    "dead_air": Word(N_("Dead air")),
    "interruptions": Word(N_("Interruptions")),
    "speaking_rate": Word(N_("Speaking rate")),
    "customer_sentiment": Word(N_("How the customer feels at the end")),
    "closing": Word(N_("Closing")),
    "compliance": Word(N_("Says that the call is recorded")),
}
STAGES: Mapping[str, Word] = {
    "poll": Word(N_("Found at the recorder")),
    "dedup": Word(N_("Duplicates removed")),
    "enrich": Word(N_("Taken up")),
    "download": Word(N_("Download of the recording")),
    "score": Word(N_("Scoring")),
    "export": Word(N_("Handed on")),
    "redrive": Word(N_("Tried again by itself")),
    "voc": Word(N_("Customer events")),
}
HAPPENINGS: Mapping[str, Word] = {
    "enriched": Word(N_("done"), "good"),
    "downloaded": Word(N_("done"), "good"),
    "parked": Word(N_("recording not there yet"), "warn"),
    "missing": Word(N_("recording never came"), "bad"),
    "scored": Word(N_("done"), "good"),
    "not_scorable": Word(N_("cannot be scored"), "warn"),
    "exported": Word(N_("done"), "good"),
    "errored": Word(N_("failed"), "bad"),
    "requeued": Word(N_("sent again by an operator"), "info"),
    "redriven": Word(N_("begun again"), "info"),
}
METRICS: Mapping[str, Word] = {
    "mean_sentiment": Word(N_("Mean sentiment")),
    "complaint_share": Word(N_("Share of complaints")),
}
LETTER_STATES: Mapping[str, Word] = {
    "open": Word(N_("open"), "warn"),
    "requeued": Word(N_("sent back"), "info"),
    "discarded": Word(N_("discarded"), "quiet"),
}
HOPS: Mapping[str, Word] = {
    "poll": Word(N_("Found at the recorder")),
    "enrich": Word(N_("Taken up")),
    "status": Word(N_("Has a status")),
    "download": Word(N_("Recording stored")),
    "export": Word(N_("Result handed on")),
    "event": Word(N_("Transcript handed on")),
    "store": Word(N_("Customer events stored")),
}
SCOPES: Mapping[str, Word] = {
    "read": Word(N_("Read")),
    "original": Word(N_("See originals, with personal data")),
    "operate": Word(N_("Operate")),
    "admin": Word(N_("Administer: everything")),
}

# From these on a score is good, and from these it will do; a reader sees the number beside the colour.
GOOD_SCORE, FAIR_SCORE = 80.0, 60.0
# As the sums of customer events count them (voc_stream.services.summary).
FEELS = 0.05


def score_tone(score: float) -> str:
    """Return how a score strikes."""
    return "good" if score >= GOOD_SCORE else "warn" if score >= FAIR_SCORE else "bad"


def feeling(sentiment: float) -> Word:
    """Return a sentiment's word."""
    if sentiment >= FEELS:
        return Word(N_("Positive"), "good")
    return Word(N_("Negative"), "bad") if sentiment <= -FEELS else Word(N_("Neutral"), "quiet")


def said(names: Mapping[str, Word], name: str) -> Word:
    """Return the word for a name; of a name that is not known the name itself, readable.

    Names come from outside, and `_()` takes a sentence for markup with placeholders: one that is not ours is made harmless here.
    """
    return names.get(name) or Word(str(escape(name.replace("_", " ") or "–")).replace("%", "%%"))  # noqa: RUF001 - an en dash is meant
