"""Lends dead letters to be sent back, and writes what became of them: letters, calls, timeline and audit log in one transaction (ADR 0016)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from voc_stream.clients.call_timeline import Happening, write_timeline
from voc_stream.clients.letter_rows import LetterFilter, LetterRow, conditions
from voc_stream.clients.postgres import Connection, Database
from voc_stream.runtime.letter_reading import KEYED_BY_CALL
from voc_stream.stages.changes import At, Status
from voc_stream.stages.way_back import Reached, way_back

# Two letters of one thing: a record that was dead-lettered twice, or a call that failed again in the same topic.
_SAME = """
(newer.topic = older.topic AND newer.id > older.id
 AND ((newer.partition, newer."offset") = (older.partition, older."offset") OR (newer.call_id = older.call_id AND older.topic = ANY($2::varchar[]))))
"""

# A letter that another one lends is passed over; of several of one thing only the newest is lent.
_LEND = f"""
SELECT older.id FROM dead_letter AS older
WHERE older.id = ANY($1::bigint[]) AND older.state = 'open'
  AND NOT EXISTS (SELECT FROM dead_letter AS newer WHERE newer.state = 'open' AND {_SAME})
ORDER BY older.id FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - text of our own

_OLDER = f"""
SELECT older.id, older.tenant_id, newer.id AS newest
FROM dead_letter AS newer JOIN dead_letter AS older ON {_SAME}
WHERE newer.id = ANY($1::bigint[]) AND older.state = 'open'
ORDER BY older.id FOR UPDATE OF older SKIP LOCKED
"""  # noqa: S608

_SENT_BACK = "UPDATE dead_letter SET state = 'requeued', requeued_at = $2 WHERE id = ANY($1::bigint[])"

_REACHED = """
SELECT call_id, status,
       EXISTS (SELECT FROM audio_asset AS asset WHERE asset.call_id = call.call_id AND asset.status = 'READY') AS recorded,
       (SELECT outcome FROM scoring_result AS result WHERE result.call_id = call.call_id ORDER BY scored_at DESC, id DESC LIMIT 1) AS outcome
FROM call WHERE call_id = ANY($1::varchar[]) ORDER BY call_id FOR UPDATE
"""

_MOVE = "UPDATE call SET status = $2, status_reason = NULL, next_attempt_at = NULL WHERE call_id = $1"

_AUDIT = """
INSERT INTO audit_log (actor, action, subject, tenant_id, before, after)
SELECT $1, 'dead letter requeued', 'dead letter ' || l.id, l.tenant_id, '{"state": "open"}'::jsonb, l.after::jsonb
FROM unnest($2::bigint[], $3::varchar[], $4::text[]) AS l (id, tenant_id, after)
"""


@dataclass(slots=True)
class Loan:
    """Open letters that nobody else can lend meanwhile.

    Attributes:
        ids: of the letters asked for, those that are lent.
        along: older letters of the same things, which go with those that are sent; known once the block has ended.
    """

    ids: frozenset[int]
    along: frozenset[int] = frozenset()
    _connection: Connection = field(repr=False, kw_only=True)
    _sent: list[tuple[LetterRow, Mapping[str, Any]]] = field(default_factory=list)

    async def bring_back(self, letters: Sequence[LetterRow], now: datetime) -> None:
        """Move the calls of the letters to where the stages expect them; to be done before anything is published.

        The calls stay locked until the block ends: a stage that is faster than it waits, and then finds the call where it should be.
        """
        of_call = {letter.call_id: letter for letter in letters if letter.call_id is not None and letter.topic in KEYED_BY_CALL}
        happenings = []
        for row in await self._connection.fetch(_REACHED, list(of_call)):
            letter = of_call[row["call_id"]]
            outcome = Status(row["outcome"]) if row["outcome"] else None
            way = way_back(letter.stage, Reached(Status(row["status"]), row["recorded"], outcome))
            if way:
                await self._connection.execute(_MOVE, row["call_id"], way[-1])
                at = At(now, letter.topic, _or_none(letter.partition), _or_none(letter.offset), letter.requeues + 1)
                happenings.append(Happening(row["call_id"], letter.stage, "requeued", at, way[-1]))
        await write_timeline(self._connection, happenings)

    def sent(self, letter: LetterRow, partition: int | None, offset: int) -> None:
        """Note that Kafka has the letter's record again; `partition` is None where the key chose it."""
        self._sent.append(
            (letter, {"state": "requeued", "attempt": letter.requeues + 1, "topic": letter.topic, "partition": partition, "offset": offset})
        )

    async def settle(self, actor: str, now: datetime) -> None:
        """Write down what was sent."""
        sent = [letter.id for letter, _ in self._sent]
        older = await self._connection.fetch(_OLDER, sent, list(KEYED_BY_CALL))
        rows = [(letter.id, letter.tenant_id, after) for letter, after in self._sent]
        # Two newest of one thing may have been sent, where it was dead-lettered in two ways at the same time.
        along = {row["id"]: (row["id"], row["tenant_id"], {"state": "requeued", "with": row["newest"]}) for row in older if row["id"] not in sent}
        self.along = frozenset(along)
        rows += along.values()
        await self._connection.execute(_SENT_BACK, [row[0] for row in rows], now)
        encoded = [msgspec.json.encode(after).decode() for _, _, after in rows]
        await self._connection.execute(_AUDIT, actor, [row[0] for row in rows], [row[1] for row in rows], encoded)


class RequeueStore:
    """Letters as a requeue needs them. Its methods raise `OutsideError`s.

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def open_by_topic(self, where: LetterFilter) -> dict[str, int]:
        """Return how many open letters there are in each topic; the filter's own state does not matter."""
        condition, values = conditions(where)
        statement = f"SELECT topic, count(*) FROM dead_letter WHERE {condition} AND state = 'open' GROUP BY topic ORDER BY topic"  # noqa: S608
        async with self._db.connection() as connection:
            return {row[0]: row[1] for row in await connection.fetch(statement, *values)}

    @asynccontextmanager
    async def lend(self, ids: Sequence[int], *, actor: str, now: datetime) -> AsyncIterator[Loan]:
        """Lend letters for the block to send.

        When the block ends, what it called sent is `requeued`, with one row each in the audit log; when it raises, nothing has changed, and what it
        had published before is published again by the next one that lends the letter.

        Args:
            ids: the letters; those that are not open, that another one has borrowed, or of whose thing there is a newer open letter, are not lent.
            actor: for the audit log.
            now: the time.
        """
        async with self._db.transaction() as connection:
            rows = await connection.fetch(_LEND, list(ids), list(KEYED_BY_CALL))
            loan = Loan(frozenset(row["id"] for row in rows), _connection=connection)
            yield loan
            await loan.settle(actor, now)


def _or_none(number: int | None) -> int:
    """Return what the timeline has where there is no number."""
    return -1 if number is None else number
