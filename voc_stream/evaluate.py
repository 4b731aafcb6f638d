"""`faust -A voc_stream evaluate WHAT FILE.csv`: how far what would be stored of labelled texts agrees with their labels."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from voc_stream.events.voc import CallEvent
from voc_stream.nlp.evaluation import Agreement
from voc_stream.nlp.topics import TOPICS, TopicClassifier
from voc_stream.services.annotator import Annotator
from voc_stream.services.reloaded import FileError
from voc_stream.services.topics_file import topics_file
from voc_stream.settings import Settings

Row = dict[str, str]
Echo = Callable[[str], None]
Evaluator = Callable[[Settings, Sequence[Row], Echo], Awaitable[str]]

_NOBODY = uuid.UUID(int=0)
_LONGEST_CELL = 1 << 24


class FileUnusableError(Exception):
    """The file cannot be evaluated; the message is one line."""


async def run(settings: Settings, echo: Echo, *, what: str, file: Path) -> int:
    """Print a confusion table and, last, the figures; return the exit code."""
    try:
        rows = read_rows(file)
        figures = await EVALUATORS[what](settings, rows, echo)
    except (FileUnusableError, FileError) as error:
        click.echo(f"voc-stream: {error}", err=True)
        return 1
    echo(f"evaluate: n={len(rows)} {figures}")
    return 0


def read_rows(file: Path) -> list[Row]:
    """Return the rows of a CSV file with a header, of which `text` is a column.

    Raises:
        FileUnusableError: it cannot be read, has no such column, or no rows.
    """
    csv.field_size_limit(_LONGEST_CELL)
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = [{name: value or "" for name, value in row.items() if name} for row in csv.DictReader(lines)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileUnusableError(f"{file}: {' '.join(str(error).split())}") from None
    if not rows:
        raise FileUnusableError(f"{file}: no rows below a header")
    _column(rows, "text")
    return rows


def tell(agreement: Agreement, echo: Echo) -> None:
    """Print who was said to be what: a row a truth, a column an answer."""
    labels = agreement.labels
    width = max(map(len, (*labels, "true \\ said")))
    echo(" ".join(f"{label:>{width}}" for label in ("true \\ said", *labels)))
    for truth in labels:
        counts = (str(agreement.counts.get((truth, said), 0)) for said in labels)
        echo(" ".join(f"{cell:>{width}}" for cell in (truth, *counts)))


async def topics(settings: Settings, rows: Sequence[Row], echo: Echo) -> str:
    """Evaluate topics: columns text, label and, for a tenant's keywords, tenant."""
    truths = [label.strip().lower() for label in _column(rows, "label")]
    annotator = Annotator.load(partial(TopicClassifier, keywords=topics_file(settings).current))
    annotations = await annotator.annotate([_event(row) for row in rows])
    said = [annotation.topic or "other" for annotation in annotations]
    others = sorted({*truths, *said} - set(TOPICS))
    agreement = Agreement.of((*TOPICS, *others), truths, said)
    tell(agreement, echo)
    return f"accuracy={agreement.accuracy:.3f} macro_f1={agreement.macro_f1:.3f}"


def _column(rows: Sequence[Row], name: str) -> list[str]:
    if name not in rows[0]:
        raise FileUnusableError(f"the file has no column `{name}`; it has {', '.join(rows[0])}")
    return [row[name] for row in rows]


def _event(row: Row) -> CallEvent:
    """Return a text as the event whose annotation is asked for."""
    return CallEvent(
        event_id=_NOBODY,
        tenant_id=row.get("tenant") or "nobody",
        timestamp=datetime.fromtimestamp(0, UTC),
        call_id="evaluated",
        transcript=row["text"],
    )


EVALUATORS: dict[str, Evaluator] = {"topics": topics}
