"""One line a call for people who watch: whose it was, how it ended, and what was said first."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.settings import Settings
from voc_stream.stages.changes import FINAL
from voc_stream.stages.export import read_transcript

_ENDED = """
SELECT c.call_id, c.tenant_id, c.agent_id, c.status, c.status_reason, extract(epoch FROM c.ended_at - c.started_at)::int AS seconds,
       r.score, r.transcript_key
FROM call c LEFT JOIN LATERAL (SELECT * FROM scoring_result WHERE scoring_result.call_id = c.call_id ORDER BY id DESC LIMIT 1) r ON true
WHERE c.call_id = ANY($1::varchar[]) AND c.status = ANY($2::varchar[]) ORDER BY c.updated_at
"""
LARGEST = 4 << 20
QUOTE = 88


class Stories:
    """Tells of each call once, when it has ended; use as an async context manager."""

    def __init__(self, settings: Settings) -> None:
        self._db = Database(settings)
        self._objects = ObjectStore(settings)
        self._told: set[str] = set()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._objects.open()
        for client in (self._db, self._objects):
            self._stack.push_async_callback(client.close)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def fresh(self, call_ids: Collection[str]) -> list[str]:
        """Return a line for each of these calls that ended since the last time."""
        async with self._db.connection() as connection:
            rows = await connection.fetch(_ENDED, list(set(call_ids) - self._told), [str(status) for status in FINAL])
        lines = [await self._line(dict(row)) for row in rows]
        self._told.update(row["call_id"] for row in rows)
        return lines

    async def _line(self, row: dict[str, Any]) -> str:
        head = f"{row['call_id']}  {row['tenant_id']:8} agent {row['agent_id'] or '?':6} {row['seconds']:4} s  {row['status']:12}"
        if row["score"] is None:
            return f"{head}         {row['status_reason'] or ''}"
        return f"{head} {row['score']:6}  {await self._first_words(row['transcript_key'])}"

    async def _first_words(self, key: str | None) -> str:
        if key is None:
            return "(no words: the asr group is not installed)"
        transcript = read_transcript(await self._objects.get_bytes(key, LARGEST))
        words = " / ".join(f"{turn.speaker}: {turn.text}" for turn in transcript.turns[:3])
        return words if len(words) <= QUOTE else words[: QUOTE - 1] + "…"
