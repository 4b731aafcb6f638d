"""Every row of `make chaos` names tests that are there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.chaos.rows import ROWS, Row

ROOT = Path(__file__).resolve().parents[3]


def test_there_are_25_rows_in_order() -> None:
    assert [row.number for row in ROWS] == list(range(1, 26))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_a_row_names_tests_that_exist(row: Row) -> None:
    assert row.tests
    assert [test for test in row.tests if test.partition("::")[2].partition("[")[0] not in _functions(test.partition("::")[0])] == []


def _functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
