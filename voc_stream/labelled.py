"""Files of labelled texts, and how what was said of them is told."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from voc_stream.events.voc import CallEvent
from voc_stream.nlp.evaluation import Agreement

Row = dict[str, str]
Echo = Callable[[str], None]

_NOBODY = str(uuid.UUID(int=0))
_LONGEST_CELL = 1 << 24
_TOO_MUCH = "cells beyond the header"


class FileUnusableError(Exception):
    """The file cannot be evaluated; the message is one line."""


def read_rows(file: Path) -> list[Row]:
    """Return the rows of a CSV file with a header, of which `text` is a column.

    Raises:
        FileUnusableError: it cannot be read, has no such column, no rows, or a row with more cells than the header.
    """
    csv.field_size_limit(_LONGEST_CELL)
    rows: list[Row] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines, restkey=_TOO_MUCH, strict=True):
                if _TOO_MUCH in row:
                    raise FileUnusableError(f"{file}: row {len(rows) + 1} has more cells than the header")
                rows.append({name: value or "" for name, value in row.items()})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileUnusableError(f"{file}: after row {len(rows)}: {' '.join(str(error).split())}") from None
    if not rows:
        raise FileUnusableError(f"{file}: no rows below a header")
    column(rows, "text")
    return rows


def tell(agreement: Agreement, echo: Echo) -> None:
    """Print who was said to be what: a row a truth, a column an answer."""
    labels = agreement.labels
    width = max(map(len, (*labels, "true \\ said")))
    echo(" ".join(f"{label:>{width}}" for label in ("true \\ said", *labels)))
    for truth in labels:
        counts = (str(agreement.counts.get((truth, said), 0)) for said in labels)
        echo(" ".join(f"{cell:>{width}}" for cell in (truth, *counts)))


def column(rows: Sequence[Row], name: str) -> list[str]:
    """Return the cells of a column; raises FileUnusableError where there is none of that name."""
    if name not in rows[0]:
        raise FileUnusableError(f"the file has no column `{name}`; it has {', '.join(rows[0])}")
    return [row[name] for row in rows]


def event_of(row: Row) -> CallEvent:
    """Return a text as the event whose annotation is asked for."""
    return CallEvent(
        event_id=_NOBODY,
        tenant_id=row.get("tenant") or "nobody",
        timestamp=datetime.fromtimestamp(0, UTC),
        call_id="evaluated",
        transcript=row["text"],
    )
