"""Charts: SVG that pygal draws on the server, stripped of everything that a strict Content-Security-Policy forbids (docs/adr/0027).

Colours come from the stylesheet, so that a chart follows the theme. A chart is hidden from screen readers: its figures stand in a table beside it.
Drawing takes milliseconds, so what was drawn is kept by its data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

import pygal
from markupsafe import Markup
from pygal.etree import etree
from pygal.style import Style

# pygal takes lxml where it happens to be installed; what is stripped here is the standard library's tree.
etree.to_etree()

Value: TypeAlias = "float | None"
# A series: its name, its values, and the words for each of them (as a person reads them, in their locale).
_Series: TypeAlias = "tuple[str, tuple[Value, ...], tuple[str, ...]]"

KEPT = 512
_DROPPED_TAGS = frozenset({"style", "script", "defs", "title", "desc"})
_DROPPED_CLASSES = frozenset({"titles", "text-overlay", "tooltip-overlay"})
# Fewer values than this make no line, but dots.
_LEAST_OF_A_LINE = 3
# Of lines that a reader could tell apart.
_MOST_LABELS = 7
_STYLE = Style(colors=("currentColor",) * 4, label_font_size=12, major_label_font_size=12, font_family="sans-serif")
_COMMON: dict[str, Any] = {
    "css": (), "js": (), "style": _STYLE, "no_prefix": True, "disable_xml_declaration": True, "show_legend": False, "explicit_size": False,
    "pretty_print": False, "no_data_text": "", "allow_interruptions": True,
}  # fmt: skip


def spark(values: Sequence[Value], before: Sequence[Value] = (), *, least: float = 0.0, from_zero: bool = False) -> Markup:
    """Return a small line without axes, and behind it the time before.

    Args:
        values: one for each step of time; None leaves a gap.
        before: as many, of the time before.
        least: what the height stands for at least, so that noise does not look like news.
        from_zero: whether the height begins at zero, as counts should.
    """
    return _spark(tuple(values), tuple(before), least, from_zero)


def lines(labels: Sequence[str], series: Mapping[str, Sequence[Value]], words: Mapping[str, Sequence[str]] | None = None) -> Markup:
    """Return lines over time with axes; the first is drawn strongest.

    Args:
        labels: of the steps of time.
        series: values by name.
        words: the same values as a person reads them; they show where one points.
    """
    return _lines(tuple(labels), _told(series, words or {}))


def bars(labels: Sequence[str], series: Mapping[str, Sequence[Value]], words: Mapping[str, Sequence[str]] | None = None) -> Markup:
    """Return columns, stacked where there are several series; arguments as of `lines`."""
    return _bars(tuple(labels), _told(series, words or {}))


def _told(series: Mapping[str, Sequence[Value]], words: Mapping[str, Sequence[str]]) -> tuple[_Series, ...]:
    return tuple((name, tuple(values), tuple(words.get(name, ()))) for name, values in series.items())


@lru_cache(KEPT)
def _spark(values: tuple[Value, ...], before: tuple[Value, ...], least: float, from_zero: bool) -> Markup:  # noqa: FBT001 - a key of the cache
    room = _room((*values, *before), least, from_zero=from_zero)
    chart = pygal.Line(
        **_COMMON, width=240, height=56, margin=4, spacing=0, dots_size=2.5, show_x_labels=False, show_y_labels=False, show_y_guides=False,
        min_scale=1, max_scale=2, range=room, show_dots=sum(value is not None for value in values) < _LEAST_OF_A_LINE,
    )  # fmt: skip
    chart.add("before", before)
    chart.add("area", values, fill=True)
    chart.add("now", values)
    return _drawn(chart, "spark", ())


@lru_cache(KEPT)
def _lines(labels: tuple[str, ...], series: tuple[_Series, ...]) -> Markup:
    every = [value for _, values, _ in series for value in values]
    chart = pygal.Line(**_COMMON, **_axes(labels), dots_size=2.5, range=_room(every))
    return _with(chart, labels, series, "lines")


@lru_cache(KEPT)
def _bars(labels: tuple[str, ...], series: tuple[_Series, ...]) -> Markup:
    chart = pygal.StackedBar(**_COMMON, **_axes(labels), rounded_bars=2)
    return _with(chart, labels, series, "bars")


def _axes(labels: Sequence[str]) -> dict[str, Any]:
    every = max(1, -(-len(labels) // _MOST_LABELS))
    return {
        "width": 760, "height": 240, "margin": 8, "margin_bottom": 4, "spacing": 6, "min_scale": 3, "max_scale": 5,
        "x_labels_major_every": every, "show_minor_x_labels": False, "truncate_label": -1,
    }  # fmt: skip


def _with(chart: Any, labels: tuple[str, ...], series: tuple[_Series, ...], kind: str) -> Markup:
    chart.x_labels = labels
    for name, values, _ in series:
        chart.add(name, values)
    return _drawn(chart, kind, [_pointed(labels, one) for one in series])


def _pointed(labels: tuple[str, ...], series: _Series) -> list[str]:
    """Return what is said where one points at each value that there is."""
    name, values, words = series
    told = words or tuple("" if value is None else f"{value:g}" for value in values)
    return [f"{label} · {name}: {word}" for label, value, word in zip(labels, values, told, strict=False) if value is not None]


def _room(values: Sequence[Value], least: float = 0.0, *, from_zero: bool = False) -> tuple[float, float] | None:
    """Return a range of at least so much, in whose middle the values lie; None where they fill it, or there are none."""
    known = [value for value in values if value is not None]
    if from_zero and any(value > 0 for value in known):
        return 0.0, max(known)
    if not known or max(known) - min(known) > least:
        return None
    middle = (max(known) + min(known)) / 2
    # pygal's own range of a flat line has no height.
    half = least / 2 or abs(middle) * 0.1 or 1.0
    return middle - half, middle + half


def _drawn(chart: Any, kind: str, pointed: Sequence[Sequence[str]]) -> Markup:
    root: ET.Element = chart.render_tree()
    _strip(root)
    for number, told in enumerate(pointed):
        spots = [spot for group in root.iter("g") if f"serie-{number}" in group.get("class", "").split() for spot in _spots(group)]
        for spot, words in zip(spots, told, strict=False):
            ET.SubElement(spot, "title").text = words
    root.attrib.pop("id", None)
    root.attrib |= {"class": f"pygal {kind}", "aria-hidden": "true", "focusable": "false"}
    # pygal writes what it was given as text nodes and attributes: ElementTree has escaped all of it.
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704


def _spots(group: ET.Element) -> list[ET.Element]:
    return [spot for spot in group.iter("g") if spot.get("class") in {"dots", "bar"}]


def _strip(node: ET.Element) -> None:
    """Take off comments, styles, scripts and what pygal's own script would have read."""
    for child in list(node):
        classes = set(child.get("class", "").split())
        if not isinstance(child.tag, str) or child.tag in _DROPPED_TAGS or classes & _DROPPED_CLASSES:
            node.remove(child)
        else:
            child.attrib.pop("style", None)
            _strip(child)
