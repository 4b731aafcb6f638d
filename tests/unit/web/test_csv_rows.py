"""Tables that a spreadsheet shows and does not calculate."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator

import pytest
from pydantic import BaseModel

from voc_stream.web.csv_rows import cell, csv_texts


class Row(BaseModel):
    name: str
    score: float | None = None


async def pages(*given: list[Row]) -> AsyncIterator[list[Row]]:
    for page in given:
        yield page


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "  =1", "＝1"])  # noqa: RUF001 - full width is the point
def test_a_text_that_would_be_a_formula_is_none(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(("value", "expected"), [("plain", "plain"), ("a=b", "a=b"), (-0.5, -0.5), (None, ""), ("", ""), (True, True)])
def test_other_values_stay_as_they_are(value: object, expected: object) -> None:
    assert cell(value) == expected


async def test_rows_come_in_pages_under_one_header() -> None:
    rows = [Row(name='says "no",\nand goes', score=-1.5), Row(name="=cmd|' /C calc'!A0")]
    texts = [text async for text in csv_texts(("name", "score"), pages(rows[:1], rows[1:]))]
    assert len(texts) == 3
    assert list(csv.reader(io.StringIO("".join(texts), newline=""))) == [
        ["name", "score"],
        ['says "no",\nand goes', "-1.5"],
        ["'=cmd|' /C calc'!A0", ""],
    ]
