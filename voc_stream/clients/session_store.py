"""Sessions of browsers in PostgreSQL, by the digest of their id: who reads the table can take over none (docs/access.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from voc_stream.clients.audit_log import append
from voc_stream.clients.postgres import Database
from voc_stream.security.grants import Grant

_BEGIN = """
INSERT INTO web_session (id_sha256, actor, tenant_id, scopes, token_key, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
# A session lives no longer than the token that opened it.
_FIND = """
SELECT session.actor, session.tenant_id, session.scopes, session.last_seen_at,
       least(session.expires_at, token.expires_at) AS expires_at, token.revoked_at
FROM web_session AS session LEFT JOIN access_token AS token ON token.key = session.token_key
WHERE session.id_sha256 = $1
"""
_SEEN = """
UPDATE web_session AS session SET last_seen_at = seen.at FROM unnest($1::bytea[], $2::timestamptz[]) AS seen (id, at)
WHERE session.id_sha256 = seen.id AND session.last_seen_at < seen.at
"""
_END = "DELETE FROM web_session WHERE id_sha256 = $1 RETURNING actor, tenant_id"
_PURGE = "DELETE FROM web_session WHERE expires_at < $1 OR last_seen_at < $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session's row.

    Attributes:
        expires_at: its own end, or its token's if that is sooner.
        revoked_at: of its token.
        last_seen_at: to the minute.
    """

    actor: str
    tenant_id: str | None
    scopes: Sequence[str]
    last_seen_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    @property
    def grant(self) -> Grant:
        """What the one who logged in may do."""
        return Grant(self.actor, self.tenant_id, frozenset(self.scopes))


class SessionStore:
    """Keeps sessions. Its methods raise `OutsideError`s (see `voc_stream.clients.postgres`).

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(self, digest: bytes, grant: Grant, *, token_key: str | None, expires_at: datetime, address: str | None) -> None:
        """Store a new session; the audit log says who logged in.

        Args:
            digest: SHA-256 of its id.
            grant: who logged in.
            token_key: the token of the login form; None: by OIDC.
            expires_at: its end, however busy it is.
            address: the browser's.
        """
        async with self._db.transaction() as connection:
            await connection.execute(_BEGIN, digest, grant.actor, grant.tenant_id, sorted(grant.scopes), token_key, expires_at)
            after = {"scopes": sorted(grant.scopes)}
            await append(connection, grant.actor, "logged in", "session", tenant=grant.tenant_id, after=after, address=address)

    async def find(self, digest: bytes) -> StoredSession | None:
        """Return the session with this id, if it was not ended."""
        async with self._db.connection() as connection:
            row = await connection.fetchrow(_FIND, digest)
        return StoredSession(**row) if row else None

    async def seen(self, times: Mapping[bytes, datetime]) -> None:
        """Note when sessions were last used."""
        async with self._db.connection() as connection:
            await connection.execute(_SEEN, list(times), list(times.values()))

    async def end(self, digest: bytes, *, address: str | None) -> None:
        """End a session, if it is there."""
        async with self._db.transaction() as connection:
            if row := await connection.fetchrow(_END, digest):
                await append(connection, row["actor"], "logged out", "session", tenant=row["tenant_id"], address=address)

    async def purge(self, *, expired_before: datetime, idle_since: datetime) -> None:
        """Remove the rows of sessions that ended by themselves."""
        async with self._db.connection() as connection:
            await connection.execute(_PURGE, expired_before, idle_since)
