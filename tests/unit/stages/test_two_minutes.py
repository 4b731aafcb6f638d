"""A call's way against the two minutes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.calls import ENDED
from voc_stream.stages.two_minutes import BUDGET_SECONDS, SHARES, judge


@dataclass(frozen=True, slots=True)
class Told:
    stage: str
    what: str
    after: float
    detail: str | None = None

    @property
    def at(self) -> datetime:
        return ENDED + timedelta(seconds=self.after)


WAY = (Told("enrich", "enriched", 40), Told("download", "downloaded", 45), Told("score", "scored", 60), Told("export", "exported", 61))


def test_the_shares_are_the_two_minutes() -> None:
    assert sum(SHARES.values()) == BUDGET_SECONDS == 120


def test_each_hop_is_measured_from_the_one_before() -> None:
    judged = list(judge(WAY, ENDED))
    assert [(one.since_end, one.delay, one.share, one.late) for one in judged] == [
        (40, 40, 70, False),
        (45, 5, 15, False),
        (60, 15, 25, False),
        (61, 1, 10, False),
    ]


def test_a_late_hop_says_what_kept_it() -> None:
    parked = Told("download", "parked", 41, "the recorder has no recording yet")
    judged = list(judge([WAY[0], parked, Told("download", "downloaded", 101), Told("score", "scored", 140)], ENDED))
    assert (judged[1].share, judged[1].late, judged[1].reason) == (None, False, "the recorder has no recording yet")
    assert (judged[2].delay, judged[2].late, judged[2].reason) == (60, True, "the recorder has no recording yet")
    assert (judged[3].late, judged[3].reason) == (True, "39 s, and its share is 25 s")


def test_a_failure_is_told_and_has_no_share() -> None:
    (judged,) = judge([Told("download", "errored", 50, "the stream broke off")], ENDED)
    assert (judged.failed, judged.share, judged.reason) == (True, None, "the stream broke off")


def test_a_repeat_and_a_score_of_a_later_model_are_no_part_of_the_two_minutes() -> None:
    again = (Told("download", "downloaded", 70), Told("score", "scored", 9000), Told("export", "exported", 9001, "rubric-2"))
    assert [one.share for one in judge((*WAY, *again), ENDED)] == [70, 15, 25, 10, None, None, None]


def test_a_clock_that_is_behind_makes_no_negative_delay() -> None:
    judged = list(judge([Told("enrich", "enriched", -5), Told("download", "downloaded", -6)], ENDED))
    assert [one.delay for one in judged] == [0, 0]
