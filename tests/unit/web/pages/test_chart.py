"""Charts are SVG that a strict Content-Security-Policy lets through."""

from __future__ import annotations

import re

import pytest

from voc_stream.web.pages.chart import bars, lines, spark

DAYS = ["16/11", "17/11", "18/11"]


@pytest.mark.parametrize(
    "drawn",
    [spark([1, 2, 3, None], [2, 2, 2, 2]), lines(DAYS, {"Mean": [80, None, 83.5], "Before": [70, 75, 77]}), bars(DAYS, {"Calls": [1, 2, 3]})],
)
def test_has_no_style_no_script_and_nothing_from_other_hosts(drawn: str) -> None:
    assert drawn.startswith("<svg")
    for forbidden in ("<style", "style=", "<script", "<!--", "href", "pygal.org"):
        assert forbidden not in drawn


def test_is_hidden_from_screen_readers() -> None:
    assert 'aria-hidden="true"' in spark([1, 2, 3])


def test_says_each_value_where_one_points_at_it() -> None:
    drawn = lines(DAYS, {"Mean": [80, None, 83.5]}, {"Mean": ["80,0", "", "83,5"]})
    assert "<title>16/11 · Mean: 80,0</title>" in drawn
    assert "<title>18/11 · Mean: 83,5</title>" in drawn
    assert "17/11 ·" not in drawn


def test_names_are_escaped() -> None:
    drawn = bars(["<b>"], {"<script>": [1]}, {"<script>": ["<i>"]})
    assert "<script>" not in drawn
    assert "<b>" not in drawn
    assert "<i>" not in drawn


@pytest.mark.parametrize("values", [[], [None, None], [0, 0], [5]])
def test_draws_what_there_is_however_little(values: list[float | None]) -> None:
    assert spark(values, values).startswith("<svg")
    assert lines(DAYS[: len(values)], {"Mean": values}).startswith("<svg")


def test_too_few_values_for_a_line_are_dots() -> None:
    assert "<circle" in spark([None, 4, None])
    assert "<circle" not in spark([1, 4, 2])


def heights(drawn: str) -> list[float]:
    path = re.findall(r'<path d="([^"]+)" class="line', drawn)[-1]
    return [float(number) for number in re.findall(r"[\d.]+ ([\d.]+)", path)]


def test_a_little_noise_does_not_look_like_news() -> None:
    wild, calm = heights(spark([0.96, 0.97, 0.96])), heights(spark([0.96, 0.97, 0.96], least=0.1))
    assert max(calm) - min(calm) < (max(wild) - min(wild)) / 5


def test_counts_begin_at_zero() -> None:
    drawn = heights(spark([100, 90, 95], from_zero=True))
    assert max(drawn) - min(drawn) < 10
