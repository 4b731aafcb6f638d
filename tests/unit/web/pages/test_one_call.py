"""Lanes of talk, and what each hop took of the two minutes."""

from __future__ import annotations

from tests.unit.web.pages.shown import timeline
from voc_stream.services.reading_answers import TurnShown
from voc_stream.web.pages.one_call import Stretch, lanes, spent


def turn(speaker: str, start: float, end: float) -> TurnShown:
    return TurnShown(speaker=speaker, start=start, end=end, text="")


def test_each_speaker_has_a_lane_agents_first() -> None:
    drawn = lanes([turn("customer", 5, 10), turn("agent", 0, 5), turn("agent", 10, 20)], 20)
    assert [(lane.speaker, lane.seconds) for lane in drawn] == [("agent", 15), ("customer", 5)]
    assert drawn[0].talk == (Stretch(0, 25), Stretch(50, 50))


def test_a_speaker_of_another_name_is_unknown() -> None:
    assert [lane.speaker for lane in lanes([turn("robot", 0, 1)], 10)] == ["unknown"]


def test_a_transcript_longer_than_the_recording_still_fits() -> None:
    (lane,) = lanes([turn("agent", 0, 40)], 20)
    assert lane.talk == (Stretch(0, 100),)


def test_a_short_word_is_seen() -> None:
    (lane,) = lanes([turn("agent", 0, 0.1)], 3600)
    assert lane.talk[0].width > 0.1


def test_without_turns_there_are_no_lanes() -> None:
    assert lanes([], 20) == []
    assert lanes([turn("agent", 0, 0)], 0) == []


def test_hops_fill_the_two_minutes_until_the_score() -> None:
    parts = spent(timeline())
    assert [round(part.x + part.width) for part in parts] == [26, 62, 73]
    assert len({part.tone for part in parts}) == 3


def test_what_is_beyond_the_two_minutes_does_not_show() -> None:
    late = timeline()
    late = late.model_copy(update={"budget": 40.0, "scored_after": None})
    assert sum(part.width for part in spent(late)) == 100
