"""Full-text search of a tenant's transcripts, in the customer events that ClickHouse holds (docs/adr/0025-reading.md).

What is found is told as parts of a text, of which some are marked: nothing that comes from a transcript is ever markup.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.postgres import Database
from voc_stream.services.cursors import CursorError, cursor_of, place_of
from voc_stream.services.reading_answers import Hit, Part, SearchPage, Snippet
from voc_stream.stages.searching import Looked

MOST = 50
MOST_SNIPPETS = 3
LONGEST_SECONDS = 4
_MOST_MEMORY = 500_000_000
# Bytes of a payload and characters of a text that are looked through for what to show.
_MOST_PAYLOAD = 1 << 19
_MOST_TEXT = 20_000

# Must be the expression of the index `transcript_words`; nothing in the statement may be called `payload` but the column.
_TEXT = "lowerUTF8(JSONExtractString(payload, 'transcript'))"
_PAGE = """
SELECT call_id, ts, event_id, agent_id, topic, sentiment, if(length(payload) <= {most_payload}, payload, '') AS told,
       leftUTF8(JSONExtractString(payload, 'transcript'), {most_text}) AS text
FROM voc_events
WHERE {where}
ORDER BY ts DESC, event_id DESC
LIMIT {limit}
SETTINGS max_execution_time = {seconds}, max_memory_usage = {most_memory}, max_threads = 2
"""
_CONDITIONS = {
    "since": "ts >= {since:DateTime64(3, 'UTC')}",
    "until": "ts < {until:DateTime64(3, 'UTC')}",
    "agent_id": "agent_id = {agent_id:String}",
}
_KNOWN = "SELECT call_id FROM call WHERE tenant_id = $1 AND call_id = ANY($2::varchar[])"


class _Said(msgspec.Struct):
    text: str = ""
    speaker: str = "unknown"
    start: float | None = None


class _Payload(msgspec.Struct):
    turns: list[_Said] | None = None


_payload = msgspec.json.Decoder(_Payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAsked:
    """What is looked for.

    Attributes:
        text: words, and phrases in quotes.
        since: said then or later.
        until: said before.
        agent_id: by whom or to whom.
        limit: transcripts of a page.
        cursor: of the page before.
    """

    text: str
    since: datetime | None = None
    until: datetime | None = None
    agent_id: str | None = None
    limit: int = 20
    cursor: str | None = None


class SearchReading:
    """Searches. Its methods raise `OutsideError`s: a `TransientError` where a search takes too long.

    Args:
        warehouse: where customer events are.
        db: where the calls are.
    """

    def __init__(self, warehouse: ClickHouse, db: Database) -> None:
        self._warehouse = warehouse
        self._db = db

    async def page(self, tenant_id: str, asked: SearchAsked) -> SearchPage:
        """Return a page of a tenant's transcripts in which everything that is looked for is, the newest first.

        Args:
            tenant_id: whose.
            asked: what for; `limit` is `MOST` at most.

        Raises:
            ValueError: nothing is looked for, or too much.
            CursorError: `cursor` is of another search.
        """
        looked, limit = Looked.for_(asked.text), min(asked.limit, MOST)
        statement, values = page_statement(tenant_id, asked, looked, limit + 1)
        rows = await self._warehouse.query(statement, values)
        shown = rows[:limit]
        known = await self._known(tenant_id, [row["call_id"] for row in shown])
        hits = [_hit(row, looked, known=row["call_id"] in known) for row in shown]
        place = (_milliseconds(shown[-1]["ts"]), str(shown[-1]["event_id"])) if len(rows) > limit else None
        return SearchPage(words=list(looked.words), hits=hits, next=cursor_of(place, _question(asked)) if place else None)

    async def _known(self, tenant_id: str, call_ids: list[str]) -> set[str]:
        if not call_ids:
            return set()
        async with self._db.connection() as connection:
            return {row["call_id"] for row in await connection.fetch(_KNOWN, tenant_id, call_ids)}


def page_statement(tenant_id: str, asked: SearchAsked, looked: Looked, limit: int) -> tuple[str, dict[str, Any]]:
    """Return the statement of a page and its values.

    Raises:
        CursorError: `cursor` is of another search.
    """
    values: dict[str, Any] = {"tenant": tenant_id, "words": list(looked.words)}
    conditions = ["tenant_id = {tenant:String}", "event_type = 'call'", f"hasAllTokens({_TEXT}, {{words:Array(String)}})"]
    for number, phrase in enumerate(looked.phrases):
        values[f"phrase{number}"] = phrase
        conditions.append(f"hasPhrase({_TEXT}, {{phrase{number}:String}})")
    for name, condition in _CONDITIONS.items():
        if (value := getattr(asked, name)) is not None:
            values[name] = _in_utc(value) if isinstance(value, datetime) else value
            conditions.append(condition)
    if asked.cursor is not None:
        values |= _place_in(asked)
        conditions.append("(ts, event_id) < (fromUnixTimestamp64Milli({at:Int64}, 'UTC'), {event:UUID})")
    bounds = {"most_payload": _MOST_PAYLOAD, "most_text": _MOST_TEXT, "seconds": LONGEST_SECONDS, "most_memory": _MOST_MEMORY}
    return _PAGE.format(where=" AND ".join(conditions), limit=int(limit), **bounds), values


def _hit(row: dict[str, Any], looked: Looked, *, known: bool) -> Hit:
    sentiment = row["sentiment"]
    return Hit(
        call_id=row["call_id"],
        at=row["ts"].replace(tzinfo=UTC),
        agent_id=row["agent_id"],
        topic=row["topic"],
        sentiment=None if sentiment is None else round(sentiment, 4),
        known=known,
        snippets=_snippets(row["told"], row["text"], looked),
    )


def _snippets(payload: str, text: str, looked: Looked) -> list[Snippet]:
    """Return the turns in which something is that is looked for, else a piece of the text."""
    try:
        turns = _payload.decode(payload).turns or []
    except msgspec.DecodeError:
        turns = []
    found = [turn for turn in turns if looked.is_in(turn.text)][:MOST_SNIPPETS] or [_Said(text, speaker="")]
    return [
        Snippet(speaker=turn.speaker or None, start=turn.start, parts=[Part(text=piece, hit=hit) for piece, hit in looked.parts(turn.text)])
        for turn in found
    ]


def _question(asked: SearchAsked) -> SearchAsked:
    return replace(asked, limit=0, cursor=None)


def _place_in(asked: SearchAsked) -> dict[str, Any]:
    at, event = place_of(asked.cursor or "", _question(asked), tuple[int, str])
    try:
        return {"at": at, "event": str(uuid.UUID(event))}
    except ValueError:
        raise CursorError from None


def _milliseconds(moment: datetime) -> int:
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)


def _in_utc(moment: datetime) -> str:
    # The driver would give the time in the server's zone.
    return moment.astimezone(UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")
