"""Who is asking: tokens of ours, JWTs of the identity provider, sessions of browsers; all else is refused (docs/access.md, ADR 24)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from starlette.requests import HTTPConnection

from voc_stream.clients.oidc_provider import Provider
from voc_stream.clients.session_store import StoredSession
from voc_stream.clients.token_store import StoredToken
from voc_stream.errors import OutsideError
from voc_stream.logs import get_logger
from voc_stream.security.grants import Grant, Refusal, RefusedError
from voc_stream.security.oidc import OidcRules, claims_of, grant_of
from voc_stream.security.tokens import PREFIX, parse_token, sha256
from voc_stream.settings import Settings
from voc_stream.web.cookies import Cookies
from voc_stream.web.last_use import LastUse
from voc_stream.web.remembered import Remembered

logger = get_logger(__name__)

# A revocation, a logout elsewhere and a new token are seen by then.
FRESH_SECONDS = 3.0
MOST_REMEMBERED = 10_000
FLUSH_SECONDS = 5.0
PURGE_EACH = timedelta(minutes=10)
# Nothing longer is looked at. A JWT with many roles has about 4,000.
MOST_CHARACTERS = 8192
_SESSION_CHARACTERS = 43


class KeepsTokens(Protocol):
    """See `TokenStore`."""

    async def find(self, key: str) -> StoredToken | None: ...  # noqa: D102

    async def used(self, times: Mapping[str, datetime]) -> None: ...  # noqa: D102

    async def revoke(self, key: str, actor: str, *, tenant_id: str | None = None, address: str | None = None) -> bool: ...  # noqa: D102


class KeepsSessions(Protocol):
    """See `SessionStore`."""

    async def begin(  # noqa: D102
        self, digest: bytes, grant: Grant, *, token_key: str | None, expires_at: datetime, address: str | None
    ) -> None: ...

    async def find(self, digest: bytes) -> StoredSession | None: ...  # noqa: D102

    async def seen(self, times: Mapping[bytes, datetime]) -> None: ...  # noqa: D102

    async def end(self, digest: bytes, *, address: str | None) -> None: ...  # noqa: D102

    async def purge(self, *, expired_before: datetime, idle_since: datetime) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Proven:
    """A credential that is let in.

    Attributes:
        grant: what it may do.
        token_key: of a token of ours.
        session_id: of a browser's session.
    """

    grant: Grant
    token_key: str | None = None
    session_id: str | None = None


class Credentials:
    """Tells who is asking. What PostgreSQL says of a token or a session holds for `FRESH_SECONDS`.

    Args:
        tokens: of ours.
        sessions: of browsers.
        settings: SESSION_*, OIDC_*, APP_ENV.
        clock: the time.
    """

    def __init__(
        self, tokens: KeepsTokens, sessions: KeepsSessions, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.tokens = tokens
        self.sessions = sessions
        self.cookies = Cookies(settings)
        self.provider = Provider(settings) if settings.oidc_issuer else None
        self.rules = oidc_rules(settings)
        self._idle = timedelta(seconds=settings.session_idle_seconds)
        self._longest = timedelta(seconds=settings.session_seconds)
        self._clock = clock
        self._known_tokens: Remembered[str, StoredToken | None] = Remembered(tokens.find, seconds=FRESH_SECONDS, most=MOST_REMEMBERED)
        self._known_sessions: Remembered[bytes, StoredSession | None] = Remembered(sessions.find, seconds=FRESH_SECONDS, most=MOST_REMEMBERED)
        self._used_tokens: LastUse[str] = LastUse(tokens.used, clock)
        self._used_sessions: LastUse[bytes] = LastUse(sessions.seen, clock)
        self._upkeep: asyncio.Task[None] | None = None
        # What the audit log was told of lately, and when: actor, action, subject.
        self.told: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    async def open(self) -> None:
        """Begin to write last uses, and to remove sessions that are over."""
        if self.provider is not None:
            await self.provider.open()
        self._upkeep = asyncio.create_task(self._keep_up())

    async def close(self) -> None:
        """Write what was not written yet."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._upkeep
            await self._flush()
        if self.provider is not None:
            await self.provider.close()

    def renew(self, settings: Settings) -> None:
        """Use the client secret of these settings from now on."""
        if self.provider is not None:
            self.provider.renew(settings)

    async def of(self, connection: HTTPConnection) -> Proven:
        """Return who sends a request: by its Authorization, else by its cookie. Nothing else is looked at, above all no URL.

        Raises:
            RefusedError: nobody whom we let in.
            OutsideError: PostgreSQL or the identity provider does not tell.
        """
        given = connection.headers.getlist("authorization")
        if given:
            return await self.bearer(given)
        session_id = self.cookies.session_of(connection)
        if session_id is None:
            raise RefusedError(Refusal.NONE)
        return await self.session(session_id)

    async def bearer(self, given: list[str]) -> Proven:
        """Return whose Authorization headers these are.

        Raises:
            RefusedError, OutsideError: as `of`.
        """
        if any(len(each) > MOST_CHARACTERS for each in given):
            raise RefusedError(Refusal.TOO_LONG)
        scheme, _, text = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer":
            raise RefusedError(Refusal.MALFORMED)
        text = text.strip()
        return await (self.token(text) if text.startswith(PREFIX) else self._jwt(text))

    async def token(self, text: str) -> Proven:
        """Return whose token of ours this is.

        Raises:
            RefusedError, OutsideError: as `of`.
        """
        token = parse_token(text)
        if token is None:
            raise RefusedError(Refusal.MALFORMED)
        stored = await self._known_tokens.get(token.key)
        if stored is None:
            raise RefusedError(Refusal.UNKNOWN)
        if not token.proves(stored.secret_sha256):
            raise RefusedError(Refusal.SECRET)
        self._must_live(stored.expires_at, stored.revoked_at)
        self._used_tokens.note(token.key)
        return Proven(stored.grant, token_key=token.key)

    async def session(self, session_id: str) -> Proven:
        """Return whose session this is.

        Raises:
            RefusedError, OutsideError: as `of`.
        """
        if len(session_id) != _SESSION_CHARACTERS or not session_id.isascii():
            raise RefusedError(Refusal.MALFORMED)
        digest = sha256(session_id)
        stored = await self._known_sessions.get(digest)
        if stored is None:
            raise RefusedError(Refusal.UNKNOWN)
        self._must_live(stored.expires_at, stored.revoked_at)
        if self._clock() - self._used_sessions.latest(digest, stored.last_seen_at) >= self._idle:
            raise RefusedError(Refusal.IDLE)
        self._used_sessions.note(digest)
        return Proven(stored.grant, session_id=session_id)

    async def id_token(self, token: str, nonce: str) -> Grant:
        """Return who logged in at the identity provider.

        Raises:
            RefusedError: it is not the provider's answer to this login.
            OutsideError: the provider does not tell its keys.
        """
        provider, rules = self._oidc()
        key = await provider.key_of(token)
        claims = claims_of(token, key, rules, audiences=(rules.client_id,), now=self._seconds)
        if claims.get("nonce") != nonce or claims.get("azp", rules.client_id) != rules.client_id:
            raise RefusedError(Refusal.LOGIN)
        return grant_of(claims, rules)

    async def begin(self, proven: Proven, address: str | None) -> str:
        """Begin a session, and return its id, which nobody else will ever see."""
        session_id = secrets.token_urlsafe(32)
        until = self._clock() + self._longest
        await self.sessions.begin(sha256(session_id), proven.grant, token_key=proven.token_key, expires_at=until, address=address)
        return session_id

    async def end(self, session_id: str, address: str | None) -> None:
        """End a session: here at once, in other processes within `FRESH_SECONDS`."""
        digest = sha256(session_id)
        await self.sessions.end(digest, address=address)
        self._known_sessions.forget(digest)

    async def revoke(self, key: str, actor: str, *, tenant_id: str | None, address: str | None) -> bool:
        """End a token: here at once, in other processes within `FRESH_SECONDS`; see `TokenStore.revoke`."""
        found = await self.tokens.revoke(key, actor, tenant_id=tenant_id, address=address)
        self._known_tokens.forget(key)
        return found

    async def _jwt(self, text: str) -> Proven:
        if self.provider is None or self.rules is None or not self.rules.audiences:
            raise RefusedError(Refusal.NO_OIDC)
        key = await self.provider.key_of(text)
        return Proven(grant_of(claims_of(text, key, self.rules, audiences=self.rules.audiences, now=self._seconds), self.rules))

    def _oidc(self) -> tuple[Provider, OidcRules]:
        if self.provider is None or self.rules is None or not self.rules.client_id:
            raise RefusedError(Refusal.NO_OIDC)
        return self.provider, self.rules

    def _must_live(self, expires_at: datetime, revoked_at: datetime | None) -> None:
        if revoked_at is not None:
            raise RefusedError(Refusal.REVOKED)
        if self._clock() >= expires_at:
            raise RefusedError(Refusal.EXPIRED)

    def _seconds(self) -> float:
        return self._clock().timestamp()

    async def _keep_up(self) -> None:
        purged = datetime.min.replace(tzinfo=UTC)
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self._flush()
            if self._clock() - purged >= PURGE_EACH:
                purged = self._clock()
                with contextlib.suppress(OutsideError):  # it is tried again, and nothing hangs on it
                    await self.sessions.purge(expired_before=purged, idle_since=purged - self._idle)

    async def _flush(self) -> None:
        await self._used_tokens.flush()
        await self._used_sessions.flush()


def oidc_rules(settings: Settings) -> OidcRules | None:
    """Return what we accept of the identity provider; None: there is none."""
    if settings.oidc_issuer is None:
        return None
    return OidcRules(
        issuer=settings.oidc_issuer,
        audiences=settings.oidc_audience,
        client_id=settings.oidc_client_id,
        algorithms=settings.oidc_algorithms,
        skew=settings.oidc_clock_skew_seconds,
        tenant_claim=settings.oidc_tenant_claim,
        scope_claim=settings.oidc_scope_claim,
        scopes={role: scope for role, _, scope in (each.rpartition(":") for each in settings.oidc_scopes)},
        all_tenants=settings.oidc_all_tenants,
    )
