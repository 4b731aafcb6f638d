"""Tokens and sessions in memory, as PostgreSQL keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from voc_stream.clients.session_store import StoredSession
from voc_stream.clients.token_store import StoredToken
from voc_stream.security.grants import Grant
from voc_stream.security.tokens import TokenText, new_token

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class FakeTokens:
    """As `TokenStore`.

    Attributes:
        rows: by key.
        looked_up: how often a key was asked for.
    """

    def __init__(self) -> None:
        self.rows: dict[str, StoredToken] = {}
        self.looked_up = 0

    def give(self, tenant_id: str | None, scopes: Sequence[str], *, expires_at: datetime | None = None) -> TokenText:
        token = new_token()
        self.rows[token.key] = StoredToken(
            key=token.key,
            secret_sha256=token.digest,
            label="",
            tenant_id=tenant_id,
            scopes=scopes,
            expires_at=expires_at or datetime.now(UTC) + timedelta(days=1),
            last_used_at=None,
            revoked_at=None,
            created_by="test",
            created_at=LONG_AGO,
        )
        return token

    async def find(self, key: str) -> StoredToken | None:
        self.looked_up += 1
        return self.rows.get(key)

    async def used(self, times: Mapping[str, datetime]) -> None:
        for key, at in times.items():
            self.rows[key] = replace(self.rows[key], last_used_at=at)

    async def revoke(self, key: str, actor: str, *, tenant_id: str | None = None, address: str | None = None) -> bool:  # noqa: ARG002
        row = self.rows.get(key)
        if row is None or row.revoked_at is not None or (tenant_id is not None and row.tenant_id != tenant_id):
            return False
        self.rows[key] = replace(row, revoked_at=datetime.now(UTC))
        return True


class FakeSessions:
    """As `SessionStore`.

    Args:
        tokens: a session ends with its token.
    """

    def __init__(self, tokens: FakeTokens) -> None:
        self._tokens = tokens
        self.rows: dict[bytes, tuple[StoredSession, str | None]] = {}

    async def begin(self, digest: bytes, grant: Grant, *, token_key: str | None, expires_at: datetime, address: str | None) -> None:  # noqa: ARG002
        row = StoredSession(
            actor=grant.actor,
            tenant_id=grant.tenant_id,
            scopes=sorted(grant.scopes),
            last_seen_at=datetime.now(UTC),
            expires_at=expires_at,
            revoked_at=None,
        )
        self.rows[digest] = (row, token_key)

    async def find(self, digest: bytes) -> StoredSession | None:
        if digest not in self.rows:
            return None
        row, key = self.rows[digest]
        if key is None:
            return row
        token = self._tokens.rows[key]
        return replace(row, revoked_at=token.revoked_at, expires_at=min(row.expires_at, token.expires_at))

    async def seen(self, times: Mapping[bytes, datetime]) -> None:
        for digest, at in times.items():
            if digest not in self.rows:
                continue
            row, key = self.rows[digest]
            self.rows[digest] = (replace(row, last_seen_at=at), key)

    async def end(self, digest: bytes, *, address: str | None) -> None:  # noqa: ARG002
        self.rows.pop(digest, None)

    async def purge(self, *, expired_before: datetime, idle_since: datetime) -> None:
        self.rows = {
            digest: (row, key) for digest, (row, key) in self.rows.items() if row.expires_at >= expired_before and row.last_seen_at >= idle_since
        }
