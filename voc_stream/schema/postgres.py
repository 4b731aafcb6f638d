"""Migrations of PostgreSQL: yoyo applies them; we lock, verify, and name what differs.

The lock is twofold. An advisory lock lives as long as our session: whoever holds it is alive, wherever it runs, and a killed holder gives it back.
yoyo's own lock is a row that a killed holder leaves behind; holding the advisory lock we may remove it, once no foreign session could be its owner.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql
from yoyo import get_backend, read_migrations

from voc_stream.errors import OutageError
from voc_stream.schema.snapshot import differences
from voc_stream.settings import Settings

FOLDER = Path(__file__).parents[2] / "migrations" / "postgres"
APPLICATION = "voc-stream-migrate"

_LOCK_KEY = 8_131_907_020_261_122
_CONNECT_SECONDS = 10
# Of migrations, unless a file says others: whoever waits for a lock, or holds one, keeps all who come after it waiting, too.
_TIMED_OUT = "57014"
_TIMEOUTS = "-c lock_timeout=5s -c statement_timeout=60s"

# What was applied, and what the schema looked like then.
_STATE_TABLE = "CREATE TABLE IF NOT EXISTS schema_state (name text PRIMARY KEY, value text NOT NULL, created_at timestamptz NOT NULL DEFAULT now())"
_UNDER_WAY = "under way"
_SAVE_STATE = "INSERT INTO schema_state (name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value"

_SNAPSHOT = """
WITH ours AS (
    SELECT oid, relname, relkind FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relname !~ '^(_yoyo|yoyo_|schema_state)' AND relkind IN ('r', 'v', 'p', 'm')
)
SELECT format('column %s.%s %s%s%s', relname, attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN ' not null' ELSE '' END,
              coalesce(' default ' || pg_get_expr(adbin, adrelid), ''))
FROM ours JOIN pg_attribute AS a ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
     LEFT JOIN pg_attrdef ON adrelid = ours.oid AND adnum = attnum
UNION ALL
SELECT format('constraint %s on %s: %s', conname, relname, pg_get_constraintdef(c.oid))
FROM ours JOIN pg_constraint AS c ON conrelid = ours.oid WHERE contype <> 'n'
UNION ALL
SELECT format('index %s%s', pg_get_indexdef(indexrelid), CASE WHEN indisvalid THEN '' ELSE ' INVALID' END)
FROM ours JOIN pg_index ON indrelid = ours.oid
UNION ALL
SELECT format('trigger %s', pg_get_triggerdef(t.oid)) FROM ours JOIN pg_trigger AS t ON tgrelid = ours.oid WHERE NOT tgisinternal
UNION ALL
SELECT format('view %s: md5 %s', relname, md5(pg_get_viewdef(oid))) FROM ours WHERE relkind = 'v'
UNION ALL
SELECT format('function %s: md5 %s', p.oid::regprocedure, md5(prosrc)) FROM pg_proc AS p
WHERE pronamespace = current_schema()::regnamespace AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
ORDER BY 1
"""

# A session that our advisory lock does not know of and that was there when the row was written may be its owner.
_POSSIBLE_OWNERS = """
SELECT concat('session ', pid, ' ', quote_literal(application_name)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND application_name NOT LIKE 'voc-stream%%'
  AND backend_start <= (%s::timestamp AT TIME ZONE 'UTC') + interval '1 minute'
"""


class LockedError(Exception):
    """Another migration is under way; the message says whose."""


class PostgresSchema:
    """The schema of one database, and the migrations that make it.

    All methods block; call them in a thread. They raise `OutageError` if the server cannot be reached.

    Args:
        settings: POSTGRES_DSN, POSTGRES_PASSWORD, APP_ENV.
        folder: where the migrations lie.
    """

    def __init__(self, settings: Settings, folder: Path = FOLDER) -> None:
        self._dsn = urlsplit(settings.postgres_url)
        self._may_create = settings.app_env == "dev"
        self._folder = folder

    @property
    def database(self) -> str:
        """The database's name."""
        return self._dsn.path.lstrip("/")

    def create_database(self) -> bool:
        """Create the database where it is missing and APP_ENV is dev; return whether it was missing.

        Raises:
            OutageError: it is missing and must be created by an operator.
        """
        with self._session("postgres") as session:
            if session.execute("SELECT 1 FROM pg_database WHERE datname = %s", (self.database,)).fetchone():
                return False
            if not self._may_create:
                raise OutageError("postgres", f"database {self.database} does not exist; create it (only APP_ENV=dev does so by itself)")
            try:
                session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.database)))
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                return False  # another one was faster
            except psycopg.errors.InsufficientPrivilege:
                raise OutageError("postgres", f"database {self.database} does not exist, and our user must not create it") from None
            return True

    @contextmanager
    def locked(self, timeout: float) -> Iterator[None]:
        """Keep every other migration away; wait at most `timeout` seconds for it.

        Raises:
            LockedError: it is still under way.
        """
        with self._session(self.database) as session:
            session.execute(sql.SQL("SET lock_timeout = {}").format(int(timeout * 1000)))
            try:
                session.execute("SELECT pg_advisory_lock(%s)", (_LOCK_KEY,))
            except psycopg.errors.LockNotAvailable:
                msg = f"another migration of {self.database} has been under way for more than {timeout:g} s: {_holder(session)}"
                raise LockedError(msg) from None
            self._break_abandoned_lock(session)
            session.execute(_STATE_TABLE)
            yield

    def pending(self) -> list[str]:
        """Return the ids of the migrations that are not applied, in order."""
        with self._backend() as backend:
            return [migration.id for migration in backend.to_apply(read_migrations(str(self._folder)))]

    def problems(self) -> list[str]:
        """Return what is not as the applied migrations left it: unknown or altered migrations, altered schema."""
        files = self._digests()
        with self._backend() as backend:
            backend.ensure_internal_schema_updated()  # makes yoyo's tables where there are none
        with self._session(self.database) as session:
            applied = [row[0] for row in session.execute("SELECT migration_id FROM _yoyo_migration ORDER BY applied_at_utc").fetchall()]
            state = dict(session.execute("SELECT name, value FROM schema_state").fetchall())
            found = _snapshot(session)
        unknown = [f"unknown migration {name}: applied, but not in {self._folder.name}/" for name in applied if name not in files]
        altered = [f"migration {name} was altered after it was applied" for name in applied if name in files and state.get(name) != files[name]]
        # What one without a transaction left when it broke off is its own: it is applied again, from its beginning.
        drift = [] if _UNDER_WAY in state else differences(state.get("schema", "").splitlines(), found)
        return unknown + altered + drift

    def apply(self) -> list[str]:
        """Apply what is pending, one transaction each unless the file says `-- transactional: false`; return the ids.

        Raises:
            psycopg.Error: a migration failed, or waited too long for a lock; those before it stand.
        """
        with self._backend() as backend:
            pending = backend.to_apply(read_migrations(str(self._folder)))
            ids = [migration.id for migration in pending]
            with backend.lock(timeout=_CONNECT_SECONDS):
                for migration in pending:
                    migration.load()
                    if not migration.use_transactions:
                        self._begin(migration.id)
                    backend.apply_one(migration)
                    self._record(migration.id)
        return ids

    def roll_back_one(self) -> str | None:
        """Take the newest migration back; return its id, or None if none is applied."""
        with self._backend() as backend:
            applied = list(backend.to_rollback(read_migrations(str(self._folder))))
            if not applied:
                return None
            with backend.lock(timeout=_CONNECT_SECONDS):
                backend.rollback_one(applied[0])
            name: str = applied[0].id
            self._record(name, gone=True)
        return name

    def snapshot(self) -> list[str]:
        """Return the schema as lines."""
        with self._session(self.database) as session:
            return _snapshot(session)

    def _begin(self, migration_id: str) -> None:
        with self._session(self.database) as session:
            session.execute(_SAVE_STATE, (_UNDER_WAY, migration_id))

    def _record(self, migration_id: str, *, gone: bool = False) -> None:
        with self._session(self.database) as session:
            if gone:
                session.execute("DELETE FROM schema_state WHERE name = %s", (migration_id,))
            else:
                session.execute(_SAVE_STATE, (migration_id, self._digests()[migration_id]))
                session.execute("DELETE FROM schema_state WHERE name = %s", (_UNDER_WAY,))
            session.execute(_SAVE_STATE, ("schema", "\n".join(_snapshot(session))))

    def _digests(self) -> dict[str, str]:
        files = (path for path in sorted(self._folder.glob("*.sql")) if not path.name.endswith(".rollback.sql"))
        return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def _break_abandoned_lock(self, session: psycopg.Connection) -> None:
        if session.execute("SELECT to_regclass('yoyo_lock')").fetchone() == (None,):
            return
        row = session.execute("SELECT pid, ctime FROM yoyo_lock").fetchone()
        if row is None:
            return
        pid, since = row
        if owners := [owner[0] for owner in session.execute(_POSSIBLE_OWNERS, (since,)).fetchall()]:
            msg = f"process {pid} has locked the migrations since {since:%Y-%m-%d %H:%M:%S} UTC and may be alive: {', '.join(owners)}"
            raise LockedError(msg)
        with self._backend() as backend:
            backend.break_lock()

    @contextmanager
    def _session(self, database: str) -> Iterator[psycopg.Connection]:
        dsn = urlunsplit(self._dsn._replace(path=f"/{database}"))
        with _outages(), psycopg.connect(dsn, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name=APPLICATION) as session:
            yield session

    @contextmanager
    def _backend(self) -> Iterator[get_backend]:
        given = dict(parse_qsl(self._dsn.query))
        # The operator's options come last, and count.
        ours = {"connect_timeout": _CONNECT_SECONDS, "application_name": APPLICATION, "options": f"{_TIMEOUTS} {given.get('options', '')}".strip()}
        query = urlencode(given | ours)
        with _outages(), get_backend(urlunsplit(self._dsn._replace(scheme="postgresql+psycopg", query=query))) as backend:
            yield backend


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        if error.sqlstate == _TIMED_OUT or (error.sqlstate and error.sqlstate[:2] not in {"08", "3D", "28", "53", "57"}):
            raise
        raise OutageError("postgres", f"cannot be reached ({error.sqlstate or 'connection failed'})") from error


def _snapshot(session: psycopg.Connection) -> list[str]:
    return [row[0] for row in session.execute(_SNAPSHOT).fetchall()]


def _holder(session: psycopg.Connection) -> str:
    row = session.execute(
        "SELECT format('session %%s from %%s since %%s', a.pid, coalesce(client_addr::text, 'this machine'), date_trunc('second', backend_start))"
        " FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND classid::bigint << 32 | objid::bigint = %s",
        (_LOCK_KEY,),
    ).fetchone()
    return row[0] if row else "it ended just now, try again"
