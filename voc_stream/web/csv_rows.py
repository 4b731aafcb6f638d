"""What a list shows as CSV (RFC 4180), some rows at a time; no cell is a formula to the program that opens it."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence

from fastapi.responses import StreamingResponse
from pydantic import BaseModel

# What makes a cell a formula, or hides what does.
_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - spreadsheets take full width for the same


def csv_answer(columns: Sequence[str], pages: AsyncIterator[Sequence[BaseModel]], name: str) -> StreamingResponse:
    """Return the response of an export.

    Args:
        columns: fields of the rows, and the header.
        pages: the rows.
        name: of the file.
    """
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(csv_texts(columns, pages), media_type="text/csv; charset=utf-8", headers=headers)


async def csv_texts(columns: Sequence[str], pages: AsyncIterator[Sequence[BaseModel]]) -> AsyncIterator[str]:
    """Yield the header, and the text of each page of rows."""
    yield _text([columns])
    async for rows in pages:
        yield _text([cell(row[column]) for column in columns] for row in (each.model_dump(mode="json") for each in rows))


def cell(value: object) -> object:
    """Return a value for a cell: a text that a spreadsheet would calculate begins with an apostrophe instead; nothing is empty."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_SIGNS):
        return f"'{value}"
    return "" if value is None else value


def _text(rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
