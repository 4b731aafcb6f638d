"""Which partitions grow, and how far that is: a row in PostgreSQL, so that it goes on after a kill and no worker works meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from voc_stream.clients.audit_log import append
from voc_stream.clients.postgres import Database
from voc_stream.errors import OutageError, OutsideError
from voc_stream.settings import Settings
from voc_stream.stages.growth import Growth

_LOCK_KEY = 8_131_907_020_261_123
_AT_START_SECONDS = 3.0

_OPEN = "SELECT id, family, from_count, to_count, step, ends::text AS ends FROM partition_growth WHERE finished_at IS NULL ORDER BY id"
_BEGIN = """
INSERT INTO partition_growth (family, from_count, to_count, step, ends, actor) VALUES ($1, $2, $3, '', $4::text::jsonb, $5) RETURNING id
"""
_WITHDRAW = "DELETE FROM partition_growth WHERE id = $1 AND step = ''"
_STEP = "UPDATE partition_growth SET step = $2 WHERE id = $1"
_FINISH = "UPDATE partition_growth SET finished_at = clock_timestamp() WHERE id = $1"

Ends = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class OpenGrowth:
    """A growth that has begun.

    Attributes:
        id: of its row.
        family: of topics.
        before: partitions at its beginning.
        after: partitions at its end.
        step: the last one that is done; empty at the beginning.
        ends: by topic, where each partition ended when everything was drained.
    """

    id: int
    family: str
    before: int
    after: int
    step: str
    ends: Ends

    def __str__(self) -> str:
        """Say what it means to those who must wait for it."""
        return (
            f"the topics of {self.family} are growing from {self.before} to {self.after} partitions, and that is not finished: "
            "go on with `faust -A voc_stream partitions --apply`, then start the workers"
        )


class GrowthStore:
    """Reads and writes the rows. Its methods raise `OutsideError`s (see `voc_stream.clients.postgres`).

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def open(self) -> list[OpenGrowth]:
        """Return what has begun and is not finished."""
        async with self._db.connection() as connection:
            rows = await connection.fetch(_OPEN)
        return [
            OpenGrowth(row["id"], row["family"], row["from_count"], row["to_count"], row["step"], msgspec.json.decode(row["ends"])) for row in rows
        ]

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Keep others away who would let partitions grow.

        Raises:
            OutageError: somebody does it now.
        """
        async with self._db.connection() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK_KEY):
                raise OutageError("postgres", "partitions are growing by another command that runs now")
            try:
                yield
            finally:
                await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK_KEY)

    async def begin(self, growth: Growth, ends: Ends, actor: str) -> OpenGrowth:
        """Write down that it begins: from now on no worker may."""
        async with self._db.connection() as connection:
            number = await connection.fetchval(_BEGIN, growth.family, growth.before, growth.after, msgspec.json.encode(ends).decode(), actor)
        return OpenGrowth(number, growth.family, growth.before, growth.after, "", ends)

    async def withdraw(self, growth: OpenGrowth) -> None:
        """Forget one that has done nothing yet."""
        async with self._db.connection() as connection:
            await connection.execute(_WITHDRAW, growth.id)

    async def done(self, growth: OpenGrowth, step: str) -> None:
        """Write down that a step is done."""
        async with self._db.connection() as connection:
            await connection.execute(_STEP, growth.id, step)

    async def finish(self, growth: OpenGrowth, actor: str, after: Mapping[str, object]) -> None:
        """Write down that it is finished, and into the audit log what was done."""
        async with self._db.transaction() as connection:
            await connection.execute(_FINISH, growth.id)
            before = {"partitions": growth.before}
            await append(connection, actor, "partitions_grown", f"topics of {growth.family}", tenant=None, before=before, after=after)


async def growth_at_start(settings: Settings) -> OpenGrowth | None:
    """Return what a worker must wait for before it starts; None, too, where PostgreSQL does not say so in time: it is asked again later."""
    quick = {"postgres_timeout_seconds": _AT_START_SECONDS, "postgres_pool_size": 1}
    db = Database(settings.model_copy(update=quick))
    try:
        return next(iter(await GrowthStore(db).open()), None)
    except OutsideError:
        return None
    finally:
        await db.close()
