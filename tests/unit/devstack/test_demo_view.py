"""What the demo shows: calls and customer events, and when the calls are through."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from rich.console import Console

from voc_stream.devstack.demo_events import Counts
from voc_stream.devstack.demo_view import View

DONE = View(
    planned=4,
    hung_up=4,
    states=Counter({"SCORED": 2, "NOT_SCORABLE": 1, "ERROR": 1, "UNKNOWN": 0}),
    exported=3,
    events=Counts(3000, 2990),
)


def test_calls_are_through_when_all_are_final_and_those_with_a_result_are_exported() -> None:
    assert DONE.calls_done
    assert not replace(DONE, exported=2).calls_done
    assert not replace(DONE, planned=5).calls_done
    assert not replace(DONE, planned=None).calls_done


def test_one_line_tells_all_of_it() -> None:
    assert DONE.line() == (
        "hung_up=4/4 polled=4 downloaded=3 scored=2 not_scorable=1 exported=3 missing=0 dead-lettered=1 events_sent=3000 events_stored=2990"
    )


def test_the_table_has_the_same_numbers() -> None:
    console = Console(width=200, force_terminal=False)
    with console.capture() as shown:
        console.print(replace(DONE, planned=None, last="kafka: it does not answer").table())
    text = shown.get()
    assert "4 of ∞" in text
    assert "3000" in text
    assert "2990" in text
    assert "kafka: it does not answer" in text
