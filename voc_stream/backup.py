"""`faust -A voc_stream backup`: PostgreSQL and ClickHouse into a folder, while the workers run (docs/backup-and-restore.md)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cramjam

from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.postgres_dump import Counts, PostgresDump
from voc_stream.clients.table_dump import Table, TableDump
from voc_stream.clients.topic_reader import TopicReader
from voc_stream.errors import RejectedError
from voc_stream.services.backup_set import Manifest, Offset, Rows, described, new_folder, write_manifest
from voc_stream.settings import Settings

Echo = Callable[[str], None]


async def run(settings: Settings, echo: Echo, *, folder: Path, pg_bin: Path | None) -> int:
    """Write a backup.

    Args:
        settings: KAFKA_*, POSTGRES_DSN, CLICKHOUSE_*.
        echo: takes each line of the report.
        folder: where; it must be empty or absent.
        pg_bin: where pg_dump is; None: on PATH.

    Returns:
        0.

    Raises:
        OutsideError: a server failed, or the folder cannot be used; without its manifest the folder is no backup.
    """
    began, begun_at = time.monotonic(), datetime.now(UTC)
    new_folder(folder)
    # Before the databases: what is committed has taken effect in them.
    async with TopicReader(settings) as reader:
        offsets = tuple(Offset(settings.kafka_group_id, *place, offset) for place, offset in sorted((await reader.committed()).items()))
    postgres = PostgresDump(settings, pg_bin)
    paths, counts = await postgres.dump(folder)
    echo(f"postgres: {sum(counts.values())} rows of {len(counts)} tables, {_mib(paths)} MiB, {time.monotonic() - began:.1f} s")
    tables, rows, migrations = await _clickhouse(settings, folder, echo)
    paths += [folder / name for each in rows for name in each.files]
    manifest = Manifest(
        begun_at=begun_at,
        ended_at=datetime.now(UTC),
        group=settings.kafka_group_id,
        incarnation=settings.kafka_incarnation,
        offsets=offsets,
        postgres_migrations=await postgres.migrations(),
        postgres_rows=counts,
        clickhouse_database=settings.clickhouse_db,
        clickhouse_migrations=migrations,
        tables=tuple(tables),
        rows=tuple(rows),
        files=await asyncio.to_thread(described, folder, paths),
    )
    await asyncio.to_thread(write_manifest, folder, manifest)
    echo(_summed(manifest, counts, rows, time.monotonic() - began))
    return 0


async def _clickhouse(settings: Settings, folder: Path, echo: Echo) -> tuple[list[Table], list[Rows], tuple[str, ...]]:
    warehouse, began = Warehouse(settings), time.monotonic()
    try:
        async with warehouse.patient() as client:
            dump = TableDump(client)
            migrations = await dump.migrations()
            if not migrations:
                raise RejectedError("clickhouse", f"{settings.clickhouse_db} has no migration: is this the right database?")
            async with dump.snapshot() as tables:
                held = time.monotonic() - began
                rows = [await _written(dump, table.name, folder) for table in tables if table.has_rows]
    finally:
        await warehouse.close()
    count = sum(each.content.rows for each in rows)
    files = [folder / name for each in rows for name in each.files]
    echo(f"clickhouse: {count} rows of {len(rows)} tables, {_mib(files)} MiB, {time.monotonic() - began:.1f} s; inserts waited {held:.1f} s at most")
    return tables, rows, migrations


async def _written(dump: TableDump, table: str, folder: Path) -> Rows:
    names = []
    for number, stretch in enumerate(await dump.stretches(table)):
        block = await dump.read(table, stretch)
        path = folder / "clickhouse" / f"{table}.{number:05}.native.zst"
        await asyncio.to_thread(_compressed, path, block)
        names.append(str(path.relative_to(folder)))
    return Rows(table, await dump.content(table, clone=True), tuple(names))


def _compressed(path: Path, block: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(bytes(cramjam.zstd.compress(block, level=3)))


def _summed(manifest: Manifest, counts: Counts, rows: list[Rows], seconds: float) -> str:
    stored = sum(each.content.rows for each in rows)
    return (
        f"backup: postgres_rows={sum(counts.values())} clickhouse_rows={stored} files={len(manifest.files)} "
        f"mib={manifest.size / (1 << 20):.1f} seconds={seconds:.1f}"
    )


def _mib(paths: list[Path]) -> str:
    return f"{sum(path.stat().st_size for path in paths) / (1 << 20):.1f}"
