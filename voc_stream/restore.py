"""`faust -A voc_stream restore`: a backup into empty databases, compared with what was written, and without those who were forgotten since."""

from __future__ import annotations

import asyncio
import getpass
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cramjam
import msgspec

from voc_stream.clients.audit_log import write_audit
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.group_offsets import GroupOffsets
from voc_stream.clients.journal import RestrictionEntry, forgotten_journal, restriction_journal
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.postgres_dump import PostgresDump
from voc_stream.clients.restored_places import Restored
from voc_stream.clients.restriction_store import RestrictionStore, Subject
from voc_stream.clients.table_dump import TableDump, is_made_last
from voc_stream.clients.voc_minutes import rebuild_minutes
from voc_stream.clients.voc_sums import VocSums
from voc_stream.errors import OutsideError, RejectedError
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.security.vault import Vault
from voc_stream.services.backup_set import Manifest, read_manifest, refuse_damaged
from voc_stream.services.forgetting_again import ForgettingAgain
from voc_stream.settings import Settings

Echo = Callable[[str], None]

POSTGRES, CLICKHOUSE = "postgres", "clickhouse"
# In the audit log; `rewind` looks for it.
RESTORED = "restored"
# A `forget` that was under way when the backup began may have been seen by half of it.
_OVERLAP = timedelta(hours=1)


async def run(settings: Settings, echo: Echo, *, folder: Path, only: str | None, pg_bin: Path | None, jobs: int) -> int:
    """Bring a backup back.

    Args:
        settings: KAFKA_*, POSTGRES_DSN, CLICKHOUSE_*, S3_*, PII_KEYS.
        echo: takes each line of the report.
        folder: the backup's.
        only: one of the databases; None: both.
        pg_bin: where pg_restore is; None: on PATH.
        jobs: of pg_restore.

    Returns:
        0.

    Raises:
        OutsideError: a server failed or refuses, a database is not empty, a file is damaged, or what was restored is not what was written.
    """
    began = time.monotonic()
    wanted = [POSTGRES, CLICKHOUSE] if only is None else [only]
    manifest = read_manifest(folder)
    await asyncio.to_thread(refuse_damaged, folder, manifest)
    await GroupOffsets(settings, settings.kafka_group_id).refuse_members()
    echo(f"backup of {manifest.begun_at:%Y-%m-%d %H:%M:%S} UTC, {manifest.size / (1 << 20):.1f} MiB: every file is as it was written")
    postgres = PostgresDump(settings, pg_bin)
    await _refuse_taken(settings, manifest, postgres, wanted)
    if POSTGRES in wanted:
        await _postgres(postgres, manifest, folder, jobs, echo)
    if CLICKHOUSE in wanted:
        await _clickhouse(settings, manifest, folder, echo)
    people = await _forget_again(settings, manifest.begun_at - _OVERLAP, wanted, echo)
    offsets: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for each in manifest.offsets:
        offsets[each.topic][each.partition] = each.offset
    await _note(settings, Restored(tuple(wanted), dict(offsets)))
    echo(f"restore: {' '.join(f'{name}=yes' for name in wanted)} forgotten_again={people} seconds={time.monotonic() - began:.1f}")
    echo("next: faust -A voc_stream migrate, then faust -A voc_stream rewind; start workers after these")
    return 0


async def _refuse_taken(settings: Settings, manifest: Manifest, postgres: PostgresDump, wanted: Collection[str]) -> None:
    """Make sure, before anything is written, that nothing is there."""
    if POSTGRES in wanted:
        schema = PostgresSchema(settings)
        await asyncio.to_thread(schema.create_database)
        if tables := await postgres.counts():
            raise RejectedError(POSTGRES, _taken(schema.database, len(tables)))
    if CLICKHOUSE in wanted:
        if settings.clickhouse_db != manifest.clickhouse_database:
            reason = f"the backup is of {manifest.clickhouse_database}, CLICKHOUSE_DB is {settings.clickhouse_db}: tables know their database"
            raise RejectedError(CLICKHOUSE, reason)
        await _make_database(settings)
        warehouse = Warehouse(settings)
        try:
            tables_there = await TableDump(warehouse).tables()
        finally:
            await warehouse.close()
        if tables_there:
            raise RejectedError(CLICKHOUSE, _taken(settings.clickhouse_db, len(tables_there)))


def _taken(database: str, tables: int) -> str:
    return f"{database} is not empty ({tables} tables): a backup is restored into an empty database only"


async def _make_database(settings: Settings) -> None:
    # `default` may be the one that was lost.
    anywhere = Warehouse(settings.model_copy(update={"clickhouse_db": "system"}))
    try:
        await anywhere.command(f"CREATE DATABASE IF NOT EXISTS `{settings.clickhouse_db}`")
    finally:
        await anywhere.close()


async def _postgres(postgres: PostgresDump, manifest: Manifest, folder: Path, jobs: int, echo: Echo) -> None:
    began = time.monotonic()
    await postgres.restore(folder, jobs)
    found = await postgres.counts()
    differing = sorted(name for name in manifest.postgres_rows.keys() | found.keys() if manifest.postgres_rows.get(name) != found.get(name))
    if differing:
        raise RejectedError(POSTGRES, f"not as many rows as were written: {', '.join(differing)}")
    echo(f"postgres: {sum(found.values())} rows of {len(found)} tables, {time.monotonic() - began:.1f} s; customers' keys too, sessions not")


async def _clickhouse(settings: Settings, manifest: Manifest, folder: Path, echo: Echo) -> None:
    warehouse, began = Warehouse(settings), time.monotonic()
    try:
        async with warehouse.patient() as client:
            dump = TableDump(client)
            for table in manifest.tables:
                if not is_made_last(table):
                    await dump.make(table)
            for rows in manifest.rows:
                for name in rows.files:
                    block = await asyncio.to_thread(_plain, folder / name)
                    await dump.write(rows.table, block)
                found = await dump.content(rows.table, clone=False)
                if found != rows.content:
                    raise RejectedError(CLICKHOUSE, f"{rows.table} has {found.rows} rows that are not the {rows.content.rows} that were written")
            for table in manifest.tables:
                if is_made_last(table):
                    await dump.make(table)
                elif table.has_rows:
                    await dump.finish(table.name)
            # A crash may have kept a window from its views just before the backup.
            sums = await VocSums(client).mend()
            if sums:
                await rebuild_minutes(client)
    finally:
        await warehouse.close()
    count, seconds = sum(rows.content.rows for rows in manifest.rows), time.monotonic() - began
    echo(f"clickhouse: {count} rows of {len(manifest.rows)} tables, each with its digest, {seconds:.1f} s; {len(sums)} days of views mended")


def _plain(path: Path) -> bytes:
    return bytes(cramjam.zstd.decompress(path.read_bytes()))


async def forget_again(settings: Settings, echo: Echo, *, since: datetime, only: str | None) -> int:
    """Forget again whom the journal names, in databases that were restored by other means than `restore`.

    Args:
        settings: KAFKA_*, POSTGRES_DSN, CLICKHOUSE_*, S3_*, PII_KEYS.
        echo: takes each line of the report.
        since: the moment that was restored (UTC).
        only: the database that was; None: both.

    Returns:
        0.

    Raises:
        OutsideError: workers are in the group, or a server failed; the same command goes on.
    """
    await GroupOffsets(settings, settings.kafka_group_id).refuse_members()
    places = [POSTGRES, CLICKHOUSE] if only is None else [only]
    people = await _forget_again(settings, since.replace(tzinfo=UTC) - _OVERLAP, places, echo)
    echo(f"forget-again: forgotten_again={people}")
    return 0


async def _forget_again(settings: Settings, since: datetime, restored: Collection[str], echo: Echo) -> int:
    """Forget whom the journal names since then; return how many."""
    db, objects, warehouse = Database(settings), ObjectStore(settings), Warehouse(settings)
    try:
        await objects.open()
        if POSTGRES in restored:
            await _restrict_again(RestrictionStore(db), await restriction_journal(objects).since(since), echo)
        entries = await forgotten_journal(objects).since(since)
        vault = Vault(settings.encryption_keys, settings.pii_key_id)
        async with warehouse.patient() as client:
            again = ForgettingAgain(client if CLICKHOUSE in restored else None, db, vault, objects, _actor(), postgres=POSTGRES in restored)
            done = await again.forget(entries)
    except OutsideError as error:
        reason = f"{error.reason}; do not start a worker yet, because who was forgotten since is still in there: forget-again, then rewind --restored"
        raise RejectedError(error.dependency, reason) from error
    finally:
        for client_ in (objects, warehouse, db):
            await client_.close()
    if entries:
        echo(f"forgotten since the backup, and now again: {done.people}, with {done.calls} calls, {done.keys} keys, {done.events} events")
    return done.people


async def _note(settings: Settings, restored: Restored) -> None:
    """Write down what was restored, where `rewind` looks for it."""
    db = Database(settings)
    try:
        await write_audit(db, _actor(), RESTORED, "databases", tenant=None, after=msgspec.to_builtins(restored, str_keys=True))
    finally:
        await db.close()


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


async def _restrict_again(store: RestrictionStore, entries: Sequence[RestrictionEntry], echo: Echo) -> None:
    """Put legal holds and do-not-score into force, or lift them, as it was done since, in order."""
    for each in entries:
        subject = Subject(each.tenant_id, each.scope, each.subject)
        if each.reason is None:
            await store.lift(each.kind, subject, each.actor)
        else:
            await store.restrict(each.kind, subject, each.reason, each.actor)
    if entries:
        echo(f"restrictions set or lifted since the backup, and now again: {len(entries)}")
