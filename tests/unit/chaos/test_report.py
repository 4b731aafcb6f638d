"""A row passes when all of its tests ran and passed and counted nothing lost or twice; the last line says how many did."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos.report import Report
from tests.chaos.rows import Row

FIRST, SECOND = "tests/unit/a.py::test_one", "tests/integration/b.py::test_two"
ROWS = (Row(1, "kill", (FIRST, SECOND)), Row(2, "stop", (SECOND,)))


class Told(list[str]):
    """The lines of a run."""

    def __init__(self, **outcomes: Any) -> None:
        super().__init__()
        self.report = Report(ROWS, self.append, deadline=outcomes.pop("deadline", float("inf")))
        collected = outcomes.pop("collected", [f"{FIRST}[a]", f"{FIRST}[b]", SECOND])
        self.items: list[Any] = [SimpleNamespace(nodeid=nodeid) for nodeid in collected]
        self.report.pytest_collection_modifyitems(self.items)
        for item in self.items:
            for when in ("setup", "call", "teardown"):
                self.report.pytest_runtest_logreport(_report(item.nodeid, when, outcomes))
        self.report.pytest_sessionfinish()


def _report(nodeid: str, when: str, outcomes: dict[str, Any]) -> Any:
    failed = outcomes.get("failed") == nodeid and when == "call"
    skipped = outcomes.get("skipped") == nodeid and when == "setup"
    tally = outcomes.get("tally", {}).get(nodeid, {})
    return SimpleNamespace(
        nodeid=nodeid, when=when, failed=failed, skipped=skipped, duration=1.0, longreprtext="it broke", user_properties=list(tally.items())
    )


def test_rows_that_pass_are_told_with_what_was_counted_once_and_their_seconds() -> None:
    told = Told(tally={SECOND: {"counted": "9 events", "lost": 0, "duplicated": 0}})
    assert [" ".join(line.split()) for line in told] == [
        "1 kill passed 9 s lost=0 duplicated=0 9 events; 3 tests",
        "2 stop passed 3 s lost=0 duplicated=0 9 events; 1 test",
        "chaos: rows=2 passed=2 lost=0 duplicated=0",
    ]
    assert told.report.passed


@pytest.mark.parametrize("how", [{"failed": SECOND}, {"skipped": SECOND}, {"collected": [f"{FIRST}[a]"]}])
def test_a_test_that_failed_was_skipped_or_is_not_there_fails_its_rows(how: dict[str, Any]) -> None:
    told = Told(**how)
    assert told[-1] == "chaos: rows=2 passed=0 lost=0 duplicated=0"
    assert not told.report.passed


def test_what_was_counted_lost_or_twice_is_summed_and_fails_the_row() -> None:
    once = {"counted": "9 events", "lost": 2, "duplicated": 0}
    twice = {"counted": "9 events", "lost": 0, "duplicated": 3}
    told = Told(tally={f"{FIRST}[a]": once, f"{FIRST}[b]": twice})
    assert told[-1] == "chaos: rows=2 passed=1 lost=2 duplicated=3"


def test_tests_are_run_folder_by_folder_in_the_order_of_the_rows() -> None:
    told = Told(collected=[SECOND, f"{FIRST}[a]", f"{FIRST}[b]"])
    assert [item.nodeid for item in told.items] == [f"{FIRST}[a]", f"{FIRST}[b]", SECOND]


def test_when_the_time_is_up_nothing_begins() -> None:
    with pytest.raises(pytest.fail.Exception, match="time was up"):
        Told(deadline=0.0).report.pytest_runtest_setup()
