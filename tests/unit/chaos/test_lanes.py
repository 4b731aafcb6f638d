"""What the lanes of `make chaos` say is passed on, and their last lines are added up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos.__main__ import _pass_on


def test_a_lane_s_lines_are_passed_on_and_its_last_line_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    child: Any = SimpleNamespace(stdout=["5  kill  passed\n", "chaos: rows=20 passed=19 lost=1 duplicated=0\n"])
    assert _pass_on(child) == {"rows": 20, "passed": 19, "lost": 1, "duplicated": 0}
    assert capsys.readouterr().out == "5  kill  passed\n"


def test_a_lane_that_dies_counts_for_nothing() -> None:
    child: Any = SimpleNamespace(stdout=["Traceback\n"])
    assert _pass_on(child)["rows"] == 0
