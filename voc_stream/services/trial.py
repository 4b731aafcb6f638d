"""What the code and the settings of today say of a record, as far as that can be told without asking anybody (spec section 6)."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from voc_stream import topics
from voc_stream.events.base import Decoder, MalformedError
from voc_stream.events.calls import AudioReady, EnrichedCall, RawCall, ScoringResult
from voc_stream.events.voc import decode_voc
from voc_stream.settings import Settings
from voc_stream.stages.dedup import judge
from voc_stream.stages.enrich import enrich
from voc_stream.stages.export import export
from voc_stream.stages.outcome import DeadLetter, Facts, Ok, Outcome
from voc_stream.stages.tenants import TenantMap
from voc_stream.stages.validate import refusing

Try = Callable[[bytes | None, Facts], Outcome]

# What the outside decided, or the recording itself: nothing in the record tells how it would decide today.
DECIDED_OUTSIDE = frozenset({"rejected", "attempts_exhausted", "not_audio"})


class Standing(StrEnum):
    """What can be said of a letter: `UNKNOWN` where nothing is wrong with the record, and the outside decides."""

    PASSES = "passes"
    FAILS = "fails"
    UNKNOWN = "unknown"


class Trials:
    """For each topic that a stage reads: its decoder, and what of the stage is a pure function.

    Args:
        settings: KAFKA_TOPICS, TENANTS_STRICT.
        tenants: the tenants file as it is now.
    """

    def __init__(self, settings: Settings, tenants: Callable[[], TenantMap]) -> None:
        self._strict = settings.tenants_strict
        self._tenants = tenants
        self._tries: dict[str, Try] = {
            topics.CALLS_POLLED: _try_dedup,
            topics.CALLS_RAW: self._try_enrich,
            topics.CALLS_ENRICHED: _decoded_by(Decoder(EnrichedCall)),
            topics.AUDIO_READY: _decoded_by(Decoder(AudioReady)),
            topics.SCORING_RESULTS: _try_export,
            **dict.fromkeys((*settings.kafka_topics, topics.VOC_OVERFLOW), self._try_voc),
        }

    @property
    def topics(self) -> frozenset[str]:
        """The topics whose letters can be tried, which are those that a stage reads."""
        return frozenset(self._tries)

    def outcome(self, value: bytes | None, facts: Facts) -> Outcome:
        """Return what the stage's pure part says of a record of `facts.topic`."""
        attempt = self._tries.get(facts.topic)
        if attempt is None:
            return DeadLetter("no_stage", "no stage reads this topic")
        try:
            return attempt(value, facts)
        except MalformedError as error:
            return DeadLetter("malformed", str(error))

    def _try_enrich(self, value: bytes | None, facts: Facts) -> Outcome:
        call: Any = _decode_raw(value)
        return enrich(call, facts, self._tenants(), topics.CALLS_ENRICHED)

    def _try_voc(self, value: bytes | None, facts: Facts) -> Outcome:
        known = self._tenants().known.__contains__ if self._strict else None
        return refusing(facts.now, known)(decode_voc(value)) or Ok()


def standing(outcome: Outcome, error_type: str) -> Standing:
    """Return what an outcome of today says of a letter that failed for `error_type` then."""
    if isinstance(outcome, DeadLetter):
        return Standing.FAILS
    return Standing.UNKNOWN if error_type in DECIDED_OUTSIDE else Standing.PASSES


_decode_raw = Decoder(RawCall)
_decode_result = Decoder(ScoringResult)


def _try_dedup(value: bytes | None, facts: Facts) -> Outcome:
    call: Any = _decode_raw(value)
    return judge([(call, facts)], {}, topics.CALLS_RAW).outcomes[0]


def _try_export(value: bytes | None, facts: Facts) -> Outcome:
    result: Any = _decode_result(value)
    return export(result, None, facts, topics.VOC_CALLS)


def _decoded_by(decode: Decoder) -> Try:
    """Return what a stage knows of a record before it asks the outside: that it is well-formed."""

    def attempt(value: bytes | None, _facts: Facts) -> Outcome:
        decode(value)
        return Ok()

    return attempt
