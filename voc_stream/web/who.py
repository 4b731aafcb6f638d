"""Who is asking, as routes see it: a parameter of type Reader, Seer, Operator or Admin closes a route to all others (docs/access.md)."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer, SecurityScopes
from starlette.requests import HTTPConnection

from voc_stream.clients.audit_log import write_audit
from voc_stream.security.grants import Grant, Refusal, RefusedError
from voc_stream.web.credentials import Credentials, Proven
from voc_stream.web.metrics import CREDENTIALS_REFUSED
from voc_stream.web.problems import NotFound, Problem, ProblemAnswer

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM = "application/x-www-form-urlencoded"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="voc-stream"'}
# Rows of reading that need not be written again; more actors than these at once only make more rows.
_MOST_TOLD = 10_000

# What every closed route may answer, for `APIRouter(responses=...)`.
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": ProblemAnswer, "description": "No credential, or one that is not accepted."},
    403: {"model": ProblemAnswer, "description": "The credential does not have the scope, or the form's CSRF token is missing."},
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking.

    Attributes:
        actor: `token:<key>` or `oidc:<subject>`: what the audit log says.
        tenant_id: whose data; None: those of all tenants.
        scopes: of read, original, operate, admin, with those that others include.
        session: whether a browser's session says so.
    """

    actor: str
    tenant_id: str | None
    scopes: frozenset[str]
    session: bool = False

    def may(self, scope: str) -> bool:
        """Whether the scope is among the caller's."""
        return scope in self.scopes

    def tenant(self, asked: str | None) -> str:
        """Return whose data a request is about.

        Args:
            asked: the tenant that it names, if any.

        Raises:
            Problem: 404, it names another tenant than the caller's; 422, the caller is of all tenants and it names none.
        """
        if self.tenant_id is None:
            if asked is None:
                raise Problem(422, "tenant_id is needed: this credential is for all tenants")
            return asked
        if asked is not None and asked != self.tenant_id:
            raise NotFound
        return self.tenant_id


async def identify(connection: HTTPConnection) -> Caller:
    """Return who sends a request; asked once for each.

    Raises:
        Problem: 401.
        OutsideError: PostgreSQL or the identity provider does not tell.
    """
    known: Caller | None = getattr(connection.state, "caller", None)
    if known is None:
        try:
            proven = await credentials(connection).of(connection)
        except RefusedError as error:
            raise refused(error.reason) from None
        known = remember(connection, proven)
    return known


def remember(connection: HTTPConnection, proven: Proven) -> Caller:
    """Keep for this request who sends it."""
    caller = caller_of(proven.grant, session=proven.session_id is not None)
    connection.state.caller, connection.state.session_id = caller, proven.session_id
    return caller


def caller_of(grant: Grant, *, session: bool = False) -> Caller:
    """Return the caller who has a grant."""
    return Caller(grant.actor, grant.tenant_id, grant.scopes, session)


def refused(reason: Refusal) -> Problem:
    """Count a refusal, and return the problem to raise; it does not tell why."""
    CREDENTIALS_REFUSED.labels(reason.value).inc()
    return Problem(401, "a credential is needed" if reason is Refusal.NONE else "the credential is not accepted", headers=_CHALLENGE)


def credentials(connection: HTTPConnection) -> Credentials:
    """Return what tells who is asking."""
    found: Credentials = connection.app.state.desk.credentials
    return found


async def admitted(
    request: Request,
    needed: SecurityScopes,
    _bearer: Annotated[object, Security(HTTPBearer(auto_error=False, description="A token of ours, or a JWT of the identity provider."))],
    _cookie: Annotated[object, Security(APIKeyCookie(name="voc_session", auto_error=False, description="A browser's session."))],
) -> Caller:
    """Return who is asking, if they have the scopes that a route needs.

    Raises:
        Problem: 401, 403.
        OutsideError: PostgreSQL or the identity provider does not tell.
    """
    caller = await identify(request)
    if caller.session and request.method not in _SAFE:
        await _same_site(request)
    missing = [scope for scope in needed.scopes if not caller.may(scope)]
    if missing:
        raise Problem(403, f"the scope {missing[0]} is needed")
    return caller


Anyone = Annotated[Caller, Security(admitted)]
Reader = Annotated[Caller, Security(admitted, scopes=["read"])]
Seer = Annotated[Caller, Security(admitted, scopes=["original"])]
Operator = Annotated[Caller, Security(admitted, scopes=["operate"])]
Admin = Annotated[Caller, Security(admitted, scopes=["admin"])]


def csrf_token(connection: HTTPConnection) -> str:
    """Return what a form or a script of our own pages must send with a change: the header X-CSRF-Token, or the field csrf_token.

    It follows from the session's id, which scripts cannot read. Empty: the caller has no session, and needs none.
    """
    session_id = getattr(connection.state, "session_id", None)
    return "" if session_id is None else sha256(f"csrf {session_id}".encode()).hexdigest()


async def _same_site(request: Request) -> None:
    given: object = request.headers.get(CSRF_HEADER)
    if given is None and request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
        given = (await request.form()).get(CSRF_FIELD)
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), csrf_token(request).encode()):
        CREDENTIALS_REFUSED.labels(Refusal.CSRF.value).inc()
        raise Problem(403, f"a change needs the page's {CSRF_HEADER}")


async def still(connection: HTTPConnection, caller: Caller) -> bool:
    """Whether the credential of a long answer still holds; who streams asks now and then, and ends the stream if it does not.

    Raises:
        OutsideError: PostgreSQL or the identity provider does not tell.
    """
    try:
        proven = await credentials(connection).of(connection)
    except RefusedError:
        return False
    return caller_of(proven.grant, session=proven.session_id is not None) == caller


async def audit(
    request: Request,
    caller: Caller,
    action: str,
    details: Mapping[str, object],
    *,
    subject: str | None = None,
    tenant: str | None = None,
    once_in: float = 0.0,
) -> None:
    """Write who did what, before it is answered: what cannot be audited is not shown.

    Args:
        request: whose address is noted.
        caller: who.
        action: such as `recording heard`.
        details: about it, without personal data.
        subject: what it was done to; None: the path, as `GET /calls/1`.
        tenant: whose data; None: the caller's tenant.
        once_in: seconds within which the same caller's same action on the same subject needs no further row, in this process: a player
            asks for one recording by many ranges.

    Raises:
        OutsideError: PostgreSQL does not take it.
    """
    what = (subject or f"{request.method} {request.url.path}")[:256]
    told = credentials(request).told
    row = (caller.actor, action, what)
    if once_in and time.monotonic() - told.get(row, float("-inf")) < once_in:
        return
    db = request.app.state.desk.db
    await write_audit(db, caller.actor, action, what, tenant=tenant or caller.tenant_id, after=details, address=address_of(request))
    if once_in:
        told[row] = time.monotonic()
        told.move_to_end(row)
        if len(told) > _MOST_TOLD:
            told.popitem(last=False)


def address_of(connection: HTTPConnection) -> str | None:
    """Return the IP address that a request came from, if it is one."""
    host = connection.client.host if connection.client else ""
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        return None
