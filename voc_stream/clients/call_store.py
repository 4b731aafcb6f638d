"""The calls in PostgreSQL (spec sections 2 and 5): every change of the pipeline, and what a stage asks before it works."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

from voc_stream.clients.call_changes import Redrives, Transition, call_id_of, redriven_at, write_enriched
from voc_stream.clients.call_customers import move_customers
from voc_stream.clients.call_rows import ASSETS, RESULT, TimelineEntry, audio_ready, enriched_call, scoring_result
from voc_stream.clients.call_timeline import Happening, read_timeline, write_timeline
from voc_stream.clients.postgres import NAME, Connection, Database
from voc_stream.clients.together import Together
from voc_stream.errors import OutageError, RejectedError, TransientError
from voc_stream.events.calls import UNASSIGNED, AudioReady, EnrichedCall, ScoringResult
from voc_stream.security.vault import NoKeyError, SealError, Vault
from voc_stream.settings import Settings
from voc_stream.stages.changes import Change, Enriched, Status
from voc_stream.tracing.current import told_as

_DUE = """
SELECT * FROM call
WHERE next_attempt_at <= $1 AND status IN ('PENDING_DOWNLOAD', 'ERROR')
ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""

_PUBLISHED_AGAIN = """
UPDATE call SET status = 'PENDING_DOWNLOAD', next_attempt_at = NULL, redrives = redrives + CASE WHEN status = 'ERROR' THEN 1 ELSE 0 END
WHERE call_id = ANY($1::varchar[])
"""

_UNASSIGNED_ROUTES = "SELECT DISTINCT service, skill FROM call WHERE tenant_id = 'unassigned'"

_UNASSIGNED = """
SELECT * FROM call
WHERE tenant_id = 'unassigned' AND (service, skill) IN (SELECT * FROM unnest($1::varchar[], $2::varchar[]))
ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
"""

_ASSIGN = """
UPDATE call SET tenant_id = given.tenant_id, customer_ref = given.customer_ref
FROM unnest($1::varchar[], $2::varchar[], $3::varchar[]) AS given (call_id, tenant_id, customer_ref)
WHERE call.call_id = given.call_id
"""

_SAVE_CHECKPOINT = """
INSERT INTO ingestion_checkpoint AS stored (id, last_polled_from, last_polled_to) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET last_polled_from = EXCLUDED.last_polled_from, last_polled_to = EXCLUDED.last_polled_to
WHERE stored.last_polled_to < EXCLUDED.last_polled_to
"""

TenantOf = Callable[[str, str], str | None]


class CallStore:
    """The state of every call. All methods raise `OutsideError`s only (see `voc_stream.clients.postgres`).

    Args:
        db: the pool.
        vault: opens what the poller sealed, and seals what `customer_pii` holds.
        settings: ERROR_REDRIVES, ERROR_REDRIVE_SECONDS.
    """

    def __init__(self, db: Database, vault: Vault, settings: Settings) -> None:
        self._db = db
        self._vault = vault
        self._redrives = Redrives(settings.error_redrives, settings.error_redrive_seconds)
        self._changes: Together[Sequence[Change], bool] = Together(self._write_all)
        self._assets: Together[str, AudioReady | None] = Together(self._assets_of)

    @told_as("postgres apply")
    async def apply(self, changes: Sequence[Change]) -> None:
        """Write changes, all of them or, if this raises, none; a second time they change nothing.

        What comes while a transaction is under way shares the next one (which nobody's fault or locked row may spoil for the others: then each
        has its own).

        A status that must not move stays as it is: the change is logged as a warning and only the timeline tells of it.

        Raises:
            RejectedError: one of the changes can never be stored; to find it, apply them one by one.
        """
        if not changes:
            return
        found = any(isinstance(change, Enriched) for change in changes)
        if found or not await self._changes.ask(changes):
            await self._write(changes, wait=True)

    async def asset(self, call_id: str) -> AudioReady | None:
        """Return the call's recording in S3 as it was published, or None while it has none."""
        return await self._assets.ask(call_id)

    async def result(self, call_id: str, model_version: str) -> ScoringResult | None:
        """Return a model's result as it was published, or None while there is none."""
        async with self._db.connection() as connection:
            row = await connection.fetchrow(RESULT, call_id, model_version)
        return scoring_result(row) if row else None

    async def status(self, call_id: str) -> Status | None:
        """Return where the call is; None if it is unknown."""
        async with self._db.connection() as connection:
            status = await connection.fetchval("SELECT status FROM call WHERE call_id = $1", call_id)
        return Status(status) if status else None

    async def first_missing_at(self, call_id: str) -> datetime | None:
        """Return when the recorder first had no recording of this call; None if it never said so."""
        async with self._db.connection() as connection:
            at: datetime | None = await connection.fetchval("SELECT first_missing_at FROM call WHERE call_id = $1", call_id)
        return at

    @asynccontextmanager
    async def due(self, limit: int, now: datetime) -> AsyncIterator[list[EnrichedCall]]:
        """Lend the parked and failed calls whose time has come, for the block to publish to `calls.enriched`.

        Other workers do not see them meanwhile. When the block ends they are PENDING_DOWNLOAD and due no more;
        when it raises, nothing has changed.
        """
        async with self._transaction() as connection:
            rows = await connection.fetch(_DUE, now, limit)
            with _borrowed():
                yield [enriched_call(row) for row in rows]
            if rows:
                await connection.execute(_PUBLISHED_AGAIN, [row["call_id"] for row in rows])
            failed = [row for row in rows if row["status"] == Status.ERROR]
            await write_timeline(connection, [_redriven(row["call_id"], now, row["redrives"] + 1) for row in failed])

    @asynccontextmanager
    async def unassigned(self, limit: int, tenant_of: TenantOf) -> AsyncIterator[list[EnrichedCall]]:
        """Lend calls that had no tenant and now have one, for the block to publish to `calls.enriched`.

        Args:
            limit: at most so many; calls that still have no tenant do not count.
            tenant_of: (service, skill) → tenant, or None (or `unassigned`) where there is none yet.

        When the block ends the calls and their customers' data are the new tenant's; when it raises, nothing has changed.
        """
        async with self._transaction() as connection:
            routes = await self._mapped_routes(connection, tenant_of)
            rows = await connection.fetch(_UNASSIGNED, [s for s, _ in routes], [k for _, k in routes], limit) if routes else []
            calls = [enriched_call(row, tenant_id=routes[row["service"], row["skill"]]) for row in rows]
            with _borrowed():
                yield calls
            if calls:
                await self._assign(connection, {call.call_id: call.tenant_id for call in calls})

    async def checkpoint(self, checkpoint_id: int) -> tuple[datetime, datetime] | None:
        """Return the last polled window (1) or sweep (2) as (from, to); None before the first."""
        async with self._db.connection() as connection:
            row = await connection.fetchrow("SELECT last_polled_from, last_polled_to FROM ingestion_checkpoint WHERE id = $1", checkpoint_id)
        return (row[0], row[1]) if row else None

    async def save_checkpoint(self, checkpoint_id: int, polled_from: datetime, polled_to: datetime) -> None:
        """Remember the last polled window; an older one than the stored changes nothing."""
        async with self._db.connection() as connection:
            await connection.execute(_SAVE_CHECKPOINT, checkpoint_id, polled_from, polled_to)

    async def counts(self) -> dict[Status, int]:
        """Return how many calls are in each status, zeros included."""
        async with self._db.connection() as connection:
            rows = await connection.fetch("SELECT status, count(*) FROM call GROUP BY status")
        return dict.fromkeys(Status, 0) | {Status(row[0]): row[1] for row in rows}

    async def timeline(self, call_id: str) -> list[TimelineEntry]:
        """Return what happened to a call, in order of time."""
        async with self._db.connection() as connection:
            return await read_timeline(connection, call_id)

    async def _write_all(self, groups: Sequence[Sequence[Change]]) -> Sequence[bool]:
        """Write what several callers want in one transaction that waits for no row; return False to all where each must try its own."""
        try:
            await self._write([change for changes in groups for change in changes], wait=False)
        except (TransientError, RejectedError):
            return [False] * len(groups)
        return [True] * len(groups)

    async def _write(self, changes: Sequence[Change], *, wait: bool) -> None:
        enriched = [change for change in changes if isinstance(change, Enriched)]
        others = [change for change in changes if not isinstance(change, Enriched)]
        async with self._transaction() as connection:
            happenings: list[Happening] = await write_enriched(connection, self._vault, enriched) if enriched else []
            if others:
                transition = Transition(connection, self._redrives)
                await transition.lock(map(call_id_of, others), wait=wait)
                happenings += await transition.apply(others)
            await write_timeline(connection, happenings)

    async def _assets_of(self, call_ids: Sequence[str]) -> Sequence[AudioReady | None]:
        async with self._db.connection() as connection:
            rows = await connection.fetch(ASSETS, call_ids)
        found = {row["call_id"]: audio_ready(row) for row in rows}
        return [found.get(call_id) for call_id in call_ids]

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        """Lend a transaction in which the vault's errors count as the database's: a missing key pauses what writes to it."""
        try:
            async with self._db.transaction() as connection:
                yield connection
        except NoKeyError as error:
            raise OutageError(NAME, error.reason) from error
        except SealError as error:
            raise RejectedError(NAME, error.reason) from error
        except _BorrowerError as error:
            raise error.error from None

    async def _mapped_routes(self, connection: Connection, tenant_of: TenantOf) -> dict[tuple[str, str], str]:
        """Return the mapped among the few routes of unassigned calls, so that unmapped calls never stand before mapped ones."""
        rows = await connection.fetch(_UNASSIGNED_ROUTES)
        tenants = {(row["service"], row["skill"]): tenant_of(row["service"], row["skill"]) for row in rows}
        return {route: tenant for route, tenant in tenants.items() if tenant and tenant != UNASSIGNED}

    async def _assign(self, connection: Connection, tenants: dict[str, str]) -> None:
        references = await move_customers(connection, self._vault, tenants)
        await connection.execute(_ASSIGN, list(tenants), list(tenants.values()), [references[call_id] for call_id in tenants])


def _redriven(call_id: str, now: datetime, redrives: int) -> Happening:
    return Happening(call_id, "redrive", "redriven", redriven_at(now, redrives), Status.PENDING_DOWNLOAD)


class _BorrowerError(Exception):
    """Carries what the borrower's block raised past the translation of the driver's errors, which it may look like."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


@contextmanager
def _borrowed() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _BorrowerError(error) from error
