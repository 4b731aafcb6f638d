"""A line a row of `make chaos`, as soon as its tests are through, and the last line."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from tests.chaos.rows import Row


@dataclass(slots=True)
class _Found:
    """What a row's tests have said so far."""

    row: Row
    waiting: set[str] = field(default_factory=set)
    cases: int = 0
    seconds: float = 0.0
    counted: list[str] = field(default_factory=list)
    lost: int = 0
    duplicated: int = 0
    troubles: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every test ran and none failed, and none counted anything lost or twice."""
        return self.cases > 0 and not self.waiting and not self.troubles and not self.lost and not self.duplicated


class Report:
    """A pytest plugin: orders the tests, bounds the whole in time, and tells.

    Args:
        rows: to be run.
        say: takes each line.
        deadline: of `time.monotonic`; a test that would begin later fails.
    """

    def __init__(self, rows: Sequence[Row], say: Callable[[str], None], deadline: float) -> None:
        self._found = [_Found(row) for row in rows]
        self._of_test: dict[str, list[_Found]] = {}
        self._say = say
        self._deadline = deadline

    @property
    def passed(self) -> bool:
        """Whether all rows did."""
        return all(found.passed for found in self._found)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Bring the tests of a folder together, in the order of the rows, so that they share servers and workers."""
        order = {test: number for number, test in enumerate(dict.fromkeys(test for found in self._found for test in found.row.tests))}
        folders = {folder: number for number, folder in enumerate(dict.fromkeys(_folder(test) for test in order))}
        items.sort(key=lambda item: (folders[_folder(item.nodeid)], min(number for test, number in order.items() if _is_of(item.nodeid, test))))
        for found in self._found:
            found.waiting = {item.nodeid for item in items if any(_is_of(item.nodeid, test) for test in found.row.tests)}
            found.cases = len(found.waiting)
            absent = [test for test in found.row.tests if not any(_is_of(each, test) for each in found.waiting)]
            found.troubles += [f"{test} was not found" for test in absent]
            for each in found.waiting:
                self._of_test.setdefault(each, []).append(found)

    def pytest_runtest_setup(self) -> None:
        """Let nothing begin when the time is up."""
        if time.monotonic() > self._deadline:
            pytest.fail("the time was up before it began", pytrace=False)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take down what a test said; after the last of a row, tell."""
        for found in self._of_test.get(report.nodeid, ()):
            found.seconds += report.duration
            if report.failed:
                found.troubles.append(f"{report.nodeid}: {report.longreprtext}")
            elif report.skipped:
                found.troubles.append(f"{report.nodeid} was skipped")
            if report.when == "teardown":
                self._take_down(found, report)

    def pytest_sessionfinish(self) -> None:
        """Tell of the rows that nothing ran for, then what it all came to."""
        for found in self._found:
            if found.waiting or not found.cases:
                self._tell(found)
        passed = sum(found.passed for found in self._found)
        lost, duplicated = sum(found.lost for found in self._found), sum(found.duplicated for found in self._found)
        self._say(f"chaos: rows={len(self._found)} passed={passed} lost={lost} duplicated={duplicated}")

    def _take_down(self, found: _Found, report: pytest.TestReport) -> None:
        said = dict(report.user_properties)
        if "counted" in said:
            found.counted.append(str(said["counted"]))
            found.lost += int(str(said["lost"]))
            found.duplicated += int(str(said["duplicated"]))
        found.waiting.discard(report.nodeid)
        if not found.waiting:
            self._tell(found)

    def _tell(self, found: _Found) -> None:
        for trouble in found.troubles:
            self._say(trouble)
        cases = f"{found.cases} test{'' if found.cases == 1 else 's'}" if found.cases else "no test"
        counted = "; ".join([*dict.fromkeys(found.counted), cases])
        verdict = "passed" if found.passed else "FAILED"
        figures = f"{found.seconds:>4.0f} s  lost={found.lost} duplicated={found.duplicated}"
        self._say(f"{found.row.number:>2}  {found.row.fault:<42}  {verdict}  {figures}  {counted}")


def _is_of(node: str, test: str) -> bool:
    return test in {node, node.partition("[")[0]}


def _folder(node: str) -> str:
    return node.partition("::")[0].rpartition("/")[0]
