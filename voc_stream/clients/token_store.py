"""Tokens in PostgreSQL; what is done to one is in the audit log by the same transaction (docs/access.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from voc_stream.clients.audit_log import append
from voc_stream.clients.postgres import Database
from voc_stream.security.grants import Grant, granted
from voc_stream.security.tokens import TokenText

_COLUMNS = "key, secret_sha256, label, tenant_id, scopes, expires_at, last_used_at, revoked_at, created_by, created_at"
_ADD = """
INSERT INTO access_token (key, secret_sha256, label, tenant_id, scopes, expires_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_FIND = f"SELECT {_COLUMNS} FROM access_token WHERE key = $1"  # noqa: S608 - names of our own
_LIST = f"""
SELECT {_COLUMNS} FROM access_token WHERE ($1::varchar IS NULL OR tenant_id = $1) ORDER BY created_at DESC, key LIMIT $2
"""  # noqa: S608
_REVOKE = """
UPDATE access_token SET revoked_at = now()
WHERE key = $1 AND ($2::varchar IS NULL OR tenant_id = $2) AND revoked_at IS NULL RETURNING tenant_id
"""
# Nobody misses a token that is not used; one made for some days ends as it was meant to.
_SOONEST = """
SELECT min(expires_at) FROM access_token
WHERE revoked_at IS NULL AND expires_at > now() AND last_used_at > now() - interval '7 days' AND expires_at - created_at > interval '30 days'
"""
_USED = """
UPDATE access_token AS token SET last_used_at = used.at FROM unnest($1::varchar[], $2::timestamptz[]) AS used (key, at)
WHERE token.key = used.key AND (token.last_used_at IS NULL OR token.last_used_at < used.at)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A token's row.

    Attributes:
        secret_sha256: 32 bytes.
        tenant_id: None: all tenants.
        scopes: as they were given.
        last_used_at: to the minute.
    """

    key: str
    secret_sha256: bytes
    label: str
    tenant_id: str | None
    scopes: Sequence[str]
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    created_by: str
    created_at: datetime

    @property
    def grant(self) -> Grant:
        """What its owner may do while it is valid."""
        return Grant(f"token:{self.key}", self.tenant_id, granted(self.scopes))


class TokenStore:
    """Keeps tokens. Its methods raise `OutsideError`s (see `voc_stream.clients.postgres`).

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, token: TokenText, *, tenant_id: str | None, scopes: Sequence[str], expires_at: datetime, label: str, actor: str) -> None:
        """Store a new token.

        Args:
            token: of which the digest is kept.
            tenant_id: None: all tenants.
            scopes: of `grants.SCOPES`, one at least.
            expires_at: from then on it is refused.
            label: what it is for; no personal data.
            actor: who made it, for the audit log.
        """
        async with self._db.transaction() as connection:
            await connection.execute(_ADD, token.key, token.digest, label, tenant_id, list(scopes), expires_at, actor)
            after = {"scopes": list(scopes), "expires_at": expires_at.isoformat(), "label": label}
            await append(connection, actor, "token created", f"token {token.key}", tenant=tenant_id, after=after)

    async def find(self, key: str) -> StoredToken | None:
        """Return the token of this key, whatever became of it."""
        async with self._db.connection() as connection:
            row = await connection.fetchrow(_FIND, key)
        return StoredToken(**row) if row else None

    async def list(self, tenant_id: str | None = None, limit: int = 1000) -> Sequence[StoredToken]:
        """Return tokens, the newest first: of one tenant, or all."""
        async with self._db.connection() as connection:
            return [StoredToken(**row) for row in await connection.fetch(_LIST, tenant_id, limit)]

    async def soonest_end(self) -> datetime | None:
        """Return when the next token ends that was used within a week and made for more than 30 days; None without one."""
        async with self._db.connection() as connection:
            ends: datetime | None = await connection.fetchval(_SOONEST)
        return ends

    async def revoke(self, key: str, actor: str, *, tenant_id: str | None = None, address: str | None = None) -> bool:
        """End a token and the sessions that it opened, for good; every process follows within `credentials.FRESH_SECONDS`.

        Args:
            key: which.
            actor: for the audit log.
            tenant_id: only if it is of this tenant; None: whosesoever.
            address: where the order came from.

        Returns:
            Whether there was such a token that was not revoked before.
        """
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(_REVOKE, key, tenant_id)
            if row is None:
                return False
            await append(connection, actor, "token revoked", f"token {key}", tenant=row["tenant_id"], address=address)
        return True

    async def used(self, times: Mapping[str, datetime]) -> None:
        """Note when tokens were last used."""
        async with self._db.connection() as connection:
            await connection.execute(_USED, list(times), list(times.values()))
