"""Redaction against texts whose personal data is marked: `My number is {{phone:415-555-0123}}.` (docs/privacy.md)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from voc_stream.labelled import Echo, Row, column
from voc_stream.nlp.redaction import MARKS, Names, Redactor, Span
from voc_stream.nlp.redaction_prefilter import suspects
from voc_stream.settings import Settings

# The people of whom the labelled texts speak; a column `names` says others, separated by `;`.
_PARTIES = "Jane Roe;Nguyễn Văn Hùng;Maria Lopez"
_MARKED = re.compile(r"\{\{(\w+):(.*?)\}\}")
_WORD = re.compile(r"\w+")


async def privacy(settings: Settings, rows: Sequence[Row], echo: Echo) -> str:
    """Print recall and precision of each kind, and every text that is not as it should be.

    A word counts as found whatever its mark is; one that is marked and nobody's counts against precision. Column `text`, and `names` where others
    than the usual ones are known.
    """
    redactor = Redactor(settings.redact_regions, settings.redact_national_ids)
    true: Counter[str] = Counter()
    found: Counter[str] = Counter()
    said: Counter[str] = Counter()
    right = wrong_texts = missed_first = 0
    for row, text in zip(rows, column(rows, "text"), strict=True):
        plain, marked = unmarked(text)
        spans = redactor.spans(plain, Names((row.get("names") or _PARTIES).split(";")))
        for mark, words in _by_kind(plain, marked).items():
            true[mark] += len(words)
            found[mark] += len(words & _words(plain, spans))
        for mark, words in _by_kind(plain, spans).items():
            said[mark] += len(words)
            right += len(words & _words(plain, marked))
        if _words(plain, spans) != _words(plain, marked):
            wrong_texts += 1
            echo(f"differs: {plain} -> {redactor.redact(plain, Names((row.get('names') or _PARTIES).split(';')))}")
        numbers = any(mark != "name" for _, _, mark in spans)
        if numbers and not suspects([msgspec.json.encode({"transcript": plain})]):
            missed_first += 1
            echo(f"not suspected: {plain}")
    for mark in MARKS:
        if true[mark]:
            echo(f"{mark:>7}: recall {found[mark] / true[mark]:.3f} of {true[mark]} words, marked {said[mark]}")
    recall, precision = sum(found.values()) / max(1, sum(true.values())), right / max(1, sum(said.values()))
    return f"recall={recall:.3f} precision={precision:.3f} texts_that_differ={wrong_texts} not_suspected={missed_first}"


def unmarked(text: str) -> tuple[str, list[Span]]:
    """Return a text without its marks, and where they stood."""
    plain, at, spans = "", 0, []
    for marked in _MARKED.finditer(text):
        plain += text[at : marked.start()]
        spans.append((len(plain), len(plain) + len(marked.group(2)), marked.group(1)))
        plain += marked.group(2)
        at = marked.end()
    return plain + text[at:], spans


def _by_kind(text: str, spans: Sequence[Span]) -> dict[str, set[int]]:
    kinds: dict[str, set[int]] = {}
    for span in spans:
        kinds.setdefault(span[2], set()).update(_words(text, [span]))
    return kinds


def _words(text: str, spans: Sequence[Span]) -> set[int]:
    """Return the starts of the words in some spans."""
    return {start + word.start() for start, end, _ in spans for word in _WORD.finditer(text[start:end])}
