"""PostgreSQL's database by its own programs, pg_dump and pg_restore, at one snapshot (docs/backup-and-restore.md).

The customers' data keys go into a file of their own: whoever keeps that one shorter, or elsewhere, has a backup whose personal data is noise.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from voc_stream.clients.postgres import NAME
from voc_stream.errors import OutageError, RejectedError
from voc_stream.settings import Settings

DATABASE = "postgres.dump"
KEYS = "customer-keys.dump"
_KEYS_TABLE = "customer_key"
# Who was logged in logs in again.
_SESSIONS_TABLE = "web_session"
_APPLICATION = "voc-stream-backup"
_CONNECT_SECONDS = 10
_MIGRATIONS = "SELECT migration_id FROM _yoyo_migration ORDER BY migration_id"
_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY relname"

Counts = dict[str, int]


class PostgresDump:
    """Writes and reads the files. Its methods raise `OutsideError`s.

    Args:
        settings: POSTGRES_DSN, POSTGRES_PASSWORD.
        programs: the folder of pg_dump and pg_restore; None: as PATH has them. They must be as new as the server.
    """

    def __init__(self, settings: Settings, programs: Path | None) -> None:
        self._url = settings.postgres_url
        self._programs = programs

    async def dump(self, folder: Path) -> tuple[list[Path], Counts]:
        """Write the database into a folder; return the files, and how many rows each table has in them."""
        async with self._session() as session:
            await session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            (snapshot,) = await self._row(session, "SELECT pg_export_snapshot()")
            files = [folder / DATABASE, folder / KEYS]
            common = ["--format=custom", "--compress=1", "--no-owner", "--no-acl", f"--snapshot={snapshot}"]
            without = [f"--exclude-table-data={name}" for name in (_KEYS_TABLE, _SESSIONS_TABLE)]
            await self._run("pg_dump", [*common, *without, f"--file={files[0]}"])
            await self._run("pg_dump", [*common, "--data-only", f"--table={_KEYS_TABLE}", f"--file={files[1]}"])
            return files, await self._counted(session)

    async def counts(self) -> Counts:
        """Return how many rows each table has; nothing where there is no table."""
        async with self._session() as session:
            return await self._counted(session)

    async def migrations(self) -> tuple[str, ...]:
        """Return the migrations that are applied."""
        async with self._session() as session:
            return tuple(row[0] for row in await (await session.execute(_MIGRATIONS)).fetchall())

    async def restore(self, folder: Path, jobs: int) -> None:
        """Bring both files into the database, which must be empty."""
        for name in (DATABASE, KEYS):
            await self._run("pg_restore", ["--exit-on-error", "--no-owner", "--no-acl", f"--jobs={jobs}", str(folder / name)])

    async def _counted(self, session: psycopg.AsyncConnection) -> Counts:
        counts = {}
        for (name,) in await (await session.execute(_TABLES)).fetchall():
            (rows,) = await self._row(session, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)))
            counts[name] = 0 if name == _SESSIONS_TABLE else int(rows)
        return counts

    async def _row(self, session: psycopg.AsyncConnection, query: sql.Composed | LiteralString) -> tuple[Any, ...]:
        row = await (await session.execute(query)).fetchone()
        if row is None:
            raise RejectedError(NAME, "a question that always has an answer has none")
        return row

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[psycopg.AsyncConnection]:
        try:
            made = psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name=_APPLICATION)
            async with await made as session:
                yield session
        except psycopg.OperationalError as error:
            raise OutageError(NAME, f"cannot be reached ({error.sqlstate or 'connection failed'})") from error

    async def _run(self, program: str, arguments: Sequence[str]) -> None:
        path = shutil.which(program, path=str(self._programs) if self._programs else None)
        if path is None:
            way = "install PostgreSQL's client programs, as new as the server, or name their folder by --pg-bin"
            raise RejectedError(NAME, f"{program} is not here: {way}")
        url = urlsplit(self._url)
        # Arguments can be read by everybody on this machine, an environment cannot.
        safe = urlunsplit(url._replace(netloc=f"{url.username or ''}@{url.hostname or ''}{f':{url.port}' if url.port else ''}"))
        env = {**os.environ, "PGPASSWORD": unquote(url.password or ""), "PGAPPNAME": _APPLICATION, "PGCONNECT_TIMEOUT": str(_CONNECT_SECONDS)}
        nothing, pipe, same = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
        process = await asyncio.create_subprocess_exec(path, f"--dbname={safe}", *arguments, env=env, stdin=nothing, stdout=pipe, stderr=same)
        try:
            said, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
            raise RejectedError(NAME, f"{program} ended with {process.returncode}: {lines[-1] if lines else 'it said nothing'}")
