"""chdb, two sessions for each of a few threads: for inserts, and for all else.

One session shared by threads answers wrongly without a word (parameters leak between queries), and a session keeps its database
and its settings; so each thread has its own, and reconciles both with what the statement says before it runs it. An insert says its settings
itself: each has another token, and to set one costs nearly as much as a query.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voc_stream.devstack.clickhouse.protocol import DEFAULT_FORMAT, Statement, error_code

THREADS = 8
WAITING = 256

_SETTINGS = re.compile(r"\bSETTINGS\b", re.IGNORECASE)


class EngineError(Exception):
    """The engine refused a statement; the message is ClickHouse's, ``code`` too (0 where it gave none)."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = error_code(message)


class BusyError(Exception):
    """More statements wait than the engine queues."""


@dataclass(frozen=True)
class Answer:
    """What a statement gave. ``written_rows`` counts rows sent, duplicates that a token dropped included."""

    body: bytes
    read_rows: int
    read_bytes: int
    written_rows: int
    written_bytes: int
    elapsed_ns: int


class Engine:
    """The data folder, open in this process. At most one process may hold a folder."""

    def __init__(self, path: Path, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._path = path
        self._local = threading.local()
        self._sessions: list[_ThreadSession] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="chdb")
        self._room = threads + waiting

    async def run(self, statement: Statement) -> Answer:
        """Run one statement on a free thread.

        Raises:
            EngineError: the engine refused it.
            BusyError: too many wait already.
        """
        if self._room <= 0:
            raise BusyError
        self._room -= 1
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._run, statement)
        work.add_done_callback(self._leave)
        return await asyncio.shield(work)

    def close(self) -> None:
        """Finish what runs, then close every session."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for session in self._sessions:
            session.close()

    def _leave(self, work: asyncio.Future[Answer]) -> None:
        self._room += 1
        if not work.cancelled():
            work.exception()  # a caller that hung up asks no more; the loop would complain

    def _run(self, statement: Statement) -> Answer:
        kind = "queries" if statement.data is None else "inserts"
        session: _ThreadSession | None = getattr(self._local, kind, None)
        if session is None:
            session = _ThreadSession(self._path)
            setattr(self._local, kind, session)
            self._sessions.append(session)
        return session.run(statement)


class _ThreadSession:
    """A chdb session of one thread, and what has been set in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chdb: Any = None
        self._database = ""
        self._settings: dict[str, str] = {}

    def run(self, statement: Statement) -> Answer:
        try:
            self._reconcile(statement)
            if statement.data is None:
                return self._query(statement)
            return self._insert(statement, statement.data)
        except RuntimeError as error:  # chdb's own error is one, too
            raise EngineError(str(error)) from error
        finally:
            if statement.verb in {"SET", "USE"}:
                self.close()  # over HTTP without a session they do not outlive the request

    def close(self) -> None:
        if self._chdb is not None:
            self._chdb.close()
        self._chdb, self._database, self._settings = None, "", {}

    def _reconcile(self, statement: Statement) -> None:
        if self._chdb is not None:
            try:
                self._prepare(statement)
            except RuntimeError:
                self.close()  # half of it may be applied; and a session whose database was dropped cannot even leave it
            else:
                return
        try:
            self._prepare(statement)
        except RuntimeError:
            self.close()
            raise

    def _prepare(self, statement: Statement) -> None:
        if self._chdb is None:
            from chdb.session import Session

            self._chdb = Session(str(self._path))
        if statement.data is None:
            self._apply(statement.settings)
        if statement.database != self._database:
            self._chdb.query(f"USE {_identifier(statement.database)}")
            self._database = statement.database

    def _apply(self, wanted: Mapping[str, str]) -> None:
        gone = [f"{name} = DEFAULT" for name in self._settings if name not in wanted]
        changed = [f"{name} = {_literal(value)}" for name, value in wanted.items() if self._settings.get(name) != value]
        if gone or changed:
            self._chdb.query("SET " + ", ".join(gone + changed))
            self._settings = dict(wanted)

    def _query(self, statement: Statement) -> Answer:
        result = self._chdb.query(statement.sql, statement.default_format, params=dict(statement.params) or None)
        return Answer(
            body=bytes(result.bytes() or b""),
            read_rows=result.storage_rows_read(),
            read_bytes=result.storage_bytes_read(),
            written_rows=result.rows_written(),
            written_bytes=result.bytes_written(),
            elapsed_ns=int(result.elapsed() * 1e9),
        )

    def _insert(self, statement: Statement, data: bytes) -> Answer:
        """Let the engine read the rows from a file in memory: its streaming insert swallows what goes wrong after the rows were parsed."""
        with open(os.memfd_create("rows"), "w+b") as rows:  # noqa: PTH123 - it has no path
            rows.write(data)
            rows.flush()
            into, own = _before_settings(statement.sql)
            settings = ", ".join([*(f"{name} = {_literal(value)}" for name, value in statement.settings.items()), *own])
            source = f"FROM INFILE '/proc/self/fd/{rows.fileno()}' COMPRESSION 'none'"
            said = f"SETTINGS {settings}" if settings else ""
            result = self._chdb.query(f"{into} {source} {said} FORMAT {statement.data_format}", DEFAULT_FORMAT)
        return Answer(
            body=b"",
            read_rows=result.rows_written(),
            read_bytes=result.bytes_written(),
            written_rows=result.rows_written(),
            written_bytes=result.bytes_written(),
            elapsed_ns=int(result.elapsed() * 1e9),
        )


def _before_settings(insert: str) -> tuple[str, list[str]]:
    """Split the head of an INSERT where a source of rows belongs: before what is SET there, which beats what the request says."""
    found = _SETTINGS.search(insert)
    return (insert[: found.start()], [insert[found.end() :].strip()]) if found else (insert, [])


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
