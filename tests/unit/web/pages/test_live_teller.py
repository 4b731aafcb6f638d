"""A reader is told what differs, in their language; alarms at once, news now and then."""

from __future__ import annotations

from datetime import UTC

from babel import Locale

from voc_stream.web.pages.live import QUIET_SECONDS, Teller
from voc_stream.web.pages.live_scenes import Figure, Seen
from voc_stream.web.texts import Texts

ENGLISH = Texts(Locale("en", "GB"), UTC)
VIETNAMESE = Texts(Locale("vi"), UTC)


def test_numbers_are_written_as_the_reader_does() -> None:
    seen = Seen({"calls": Figure(1234), "mean": Figure(82.46, decimals=1), "share": Figure(0.5, "percent"), "feels": Figure(0.25, "signed", 2)})
    assert Teller(ENGLISH).told(seen) == {"numbers": {"calls": "1,234", "mean": "82.5", "share": "50%", "feels": "+0.25"}}
    assert Teller(VIETNAMESE).told(seen)["numbers"]["calls"] == "1.234"


def test_only_what_differs_is_told() -> None:
    teller = Teller(ENGLISH)
    teller.told(Seen({"calls": Figure(1), "mean": Figure(2)}))
    assert teller.told(Seen({"calls": Figure(2), "mean": Figure(2)})) == {"numbers": {"calls": "2"}}
    assert teller.told(Seen({"calls": Figure(2), "mean": Figure(2)})) == {}


def test_a_change_of_open_alerts_is_said_at_once_but_not_how_many_there_were_at_first() -> None:
    teller = Teller(ENGLISH, lambda: 0.0)
    assert "said" not in teller.told(Seen({"alerts": Figure(1)}))
    assert teller.told(Seen({"alerts": Figure(2)}))["said"] == "2 alerts are open now"
    assert teller.told(Seen({"alerts": Figure(1)}))["said"] == "1 alert is open now"


def test_what_came_since_the_page_was_made_is_offered_and_said_now_and_then() -> None:
    now = 100.0
    teller = Teller(ENGLISH, lambda: now)
    assert teller.told(Seen(came=10)) == {}
    assert teller.told(Seen(came=11)) == {"new": "1 new since you opened this page", "said": "1 new since you opened this page"}
    now += QUIET_SECONDS / 2
    assert teller.told(Seen(came=13)) == {"new": "3 new since you opened this page"}
    now += QUIET_SECONDS
    assert teller.told(Seen(came=14))["said"].startswith("4 new")


def test_fewer_than_before_is_a_new_beginning() -> None:
    teller = Teller(ENGLISH, lambda: 100.0)
    teller.told(Seen(came=500))
    assert teller.told(Seen(came=2)) == {}
    assert teller.told(Seen(came=3))["new"].startswith("1 new")
