"""The values of the calls pipeline: what they refuse to be."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests import calls
from voc_stream.events.base import Decoder, MalformedError, Wire, encode
from voc_stream.events.calls import AudioReady, EnrichedCall, ScoringResult

VALUES: list[Wire] = [calls.enriched_call(), calls.audio_ready(), calls.scoring_result()]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("field", ["event_ts", "started_at", "ended_at"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"])
def test_a_time_beyond_what_the_house_can_hold_is_malformed_and_its_field_is_named(value: Wire, field: str, moment: str) -> None:
    fields: dict[str, Any] = msgspec.to_builtins(value)
    with pytest.raises(MalformedError, match=f"`{field}` is not a time between 1970 and 2200"):
        Decoder(type(value))(msgspec.json.encode(fields | {field: moment}))


@pytest.mark.parametrize(
    ("value", "field", "number"),
    [
        (calls.scoring_result(), "latency_ms", 2**63),
        (calls.scoring_result(), "duration", 1e300),
        (calls.audio_ready(), "size_bytes", 10**30),
        (calls.audio_ready(), "sample_rate", 2**31),
        (calls.audio_ready(), "channels", -1),
    ],
)
def test_a_number_that_no_column_holds_is_malformed(value: Wire, field: str, number: float) -> None:
    with pytest.raises(MalformedError, match=field):
        Decoder(type(value))(msgspec.json.encode(msgspec.to_builtins(value) | {field: number}))


@pytest.mark.parametrize("kind", [EnrichedCall, AudioReady, ScoringResult])
def test_values_come_back_as_they_went(kind: type[Wire]) -> None:
    value = next(value for value in VALUES if type(value) is kind)
    assert Decoder(kind)(encode(value)) == value
