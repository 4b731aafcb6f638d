"""Logging in and out with a browser: by a token, or at the identity provider (code flow with PKCE; docs/access.md)."""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from voc_stream.errors import OutsideError
from voc_stream.logs import get_logger
from voc_stream.security.grants import Refusal, RefusedError
from voc_stream.web.credentials import Proven
from voc_stream.web.desk import AtDesk, Desk
from voc_stream.web.metrics import CREDENTIALS_REFUSED, LOGINS
from voc_stream.web.pages.links import OVERVIEW, local
from voc_stream.web.pages.render import render
from voc_stream.web.texts import N_
from voc_stream.web.who import Anyone, address_of

logger = get_logger(__name__)

router = APIRouter(include_in_schema=False)

# Longer than any token of ours, so that what is too long can be told from what is wrong.
_LONGEST = 256
_LONGEST_CODE = 4096

_WRONG_TOKEN = N_("This token is not accepted. It may have expired, or been revoked.")
_OLD_FORM = N_("This form was open for too long, or your browser keeps no cookies. Please try again.")
_WRONG_LOGIN = N_("The login at your company was not accepted. You may have no access here yet.")
_NO_PROVIDER = N_("Your company's login does not answer. Please try again in a moment.")
_NO_ANSWER = N_("Nobody can log in just now: the database does not answer. Please try again in a moment.")

Next = Annotated[str, Query(alias="next", max_length=2048)]


@dataclass(frozen=True, slots=True)
class Under:
    """A login that is under way. The browser keeps it in a cookie, so that whoever comes back is who went.

    Attributes:
        state: must come back with the form, or with the provider's answer.
        nonce: must come back within the provider's token.
        verifier: of PKCE: shows to the provider that who redeems the code is who asked for it.
        wanted: where the reader was going.
    """

    state: str
    nonce: str
    verifier: str
    wanted: str

    @classmethod
    def new(cls, wanted: str) -> Under:
        """Return a login that begins."""
        return cls(secrets.token_urlsafe(16), secrets.token_urlsafe(16), secrets.token_urlsafe(32), local(wanted))

    @classmethod
    def of(cls, cookie: str | None) -> Under | None:
        """Return the login of a cookie, or None if it is none."""
        try:
            state, nonce, verifier, wanted = (cookie or "").split(".")
            return cls(state, nonce, verifier, local(urlsafe_b64decode(wanted).decode()))
        except ValueError:
            return None

    @property
    def cookie(self) -> str:
        """What the browser keeps."""
        return ".".join((self.state, self.nonce, self.verifier, urlsafe_b64encode(self.wanted.encode()).decode()))

    @property
    def challenge(self) -> str:
        """The verifier's digest (S256)."""
        return urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def is_answered_by(self, state: str) -> bool:
        """Whether this is the answer to it."""
        return hmac.compare_digest(self.state.encode(), state.encode())


@router.get("/login")
async def form(request: Request, desk: AtDesk, wanted: Next = OVERVIEW) -> Response:
    """Show the form for a token, and the way to the company's login where there is one."""
    return _form(request, desk, wanted)


@router.post("/login")
async def by_token(
    request: Request,
    desk: AtDesk,
    token: Annotated[str, Form(max_length=_LONGEST)] = "",
    csrf_token: Annotated[str, Form(max_length=_LONGEST)] = "",
) -> Response:
    """Begin a session for whom a token belongs to. Nobody can be logged in by another site: the form's own cookie must come along."""
    under = Under.of(desk.credentials.cookies.login_of(request))
    if under is None or not under.is_answered_by(csrf_token):
        CREDENTIALS_REFUSED.labels(Refusal.CSRF.value).inc()
        return _form(request, desk, under.wanted if under else OVERVIEW, status=403, trouble=_OLD_FORM)
    try:
        proven = await desk.credentials.token(token.strip())
    except RefusedError as error:
        await desk.rates.wrong_credential(address_of(request) or "")
        return _refused(request, desk, under.wanted, error, _WRONG_TOKEN)
    except OutsideError as error:
        return _unanswered(request, desk, under.wanted, error, _NO_ANSWER)
    return await _begin(request, desk, proven, under.wanted, "token")


@router.get("/login/oidc")
async def to_provider(request: Request, desk: AtDesk, wanted: Next = OVERVIEW) -> Response:
    """Send the browser to the company's login."""
    provider = desk.credentials.provider
    if provider is None or not desk.settings.oidc_client_id:
        return RedirectResponse("/login", 303)
    under = Under.new(wanted)
    try:
        address = await provider.authorization_url(state=under.state, nonce=under.nonce, challenge=under.challenge)
    except OutsideError as error:
        return _unanswered(request, desk, wanted, error, _NO_PROVIDER)
    answer = RedirectResponse(address, 303)
    desk.credentials.cookies.begin_login(answer, under.cookie)
    return answer


@router.get("/login/return")
async def from_provider(
    request: Request,
    desk: AtDesk,
    state: Annotated[str, Query(max_length=_LONGEST)] = "",
    code: Annotated[str, Query(max_length=_LONGEST_CODE)] = "",
    issuer: Annotated[str | None, Query(alias="iss", max_length=2048)] = None,
) -> Response:
    """Begin a session for who comes back from the company's login."""
    under = Under.of(desk.credentials.cookies.login_of(request))
    provider = desk.credentials.provider
    if under is None or not under.is_answered_by(state):
        return _refused(request, desk, OVERVIEW, RefusedError(Refusal.CSRF), _OLD_FORM)
    if provider is None or not code or issuer not in {None, desk.settings.oidc_issuer}:
        return _refused(request, desk, under.wanted, RefusedError(Refusal.LOGIN), _WRONG_LOGIN)
    try:
        grant = await desk.credentials.id_token(await provider.redeem(code, under.verifier), under.nonce)
    except RefusedError as error:
        return _refused(request, desk, under.wanted, error, _WRONG_LOGIN)
    except OutsideError as error:
        return _unanswered(request, desk, under.wanted, error, _NO_PROVIDER)
    return await _begin(request, desk, Proven(grant), under.wanted, "oidc")


@router.post("/logout")
async def leave(request: Request, desk: AtDesk, _caller: Anyone) -> Response:
    """End the browser's session."""
    if session_id := desk.credentials.cookies.session_of(request):
        await desk.credentials.end(session_id, address_of(request))
    answer = RedirectResponse("/login", 303)
    desk.credentials.cookies.end_session(answer)
    return answer


async def _begin(request: Request, desk: Desk, proven: Proven, wanted: str, by: str) -> Response:
    """Begin a session with an id that nobody knew before; the one that the browser had ends."""
    try:
        session_id = await desk.credentials.begin(proven, address_of(request))
        if before := desk.credentials.cookies.session_of(request):
            await desk.credentials.end(before, address_of(request))
    except OutsideError as error:
        return _unanswered(request, desk, wanted, error, _NO_ANSWER)
    LOGINS.labels(by).inc()
    answer = RedirectResponse(wanted, 303)
    desk.credentials.cookies.begin_session(answer, session_id)
    return answer


def _form(request: Request, desk: Desk, wanted: str, *, status: int = 200, trouble: str | None = None) -> Response:
    under = Under.new(wanted)
    company = f"/login/oidc?{urlencode({'next': under.wanted})}" if desk.settings.oidc_client_id else None
    answer = render(request, "login.html", None, status=status, form_token=under.state, company=company, trouble=trouble)
    desk.credentials.cookies.begin_login(answer, under.cookie)
    return answer


def _refused(request: Request, desk: Desk, wanted: str, error: RefusedError, told: str) -> Response:
    CREDENTIALS_REFUSED.labels(error.reason.value).inc()
    return _form(request, desk, wanted, status=401, trouble=told)


def _unanswered(request: Request, desk: Desk, wanted: str, error: OutsideError, told: str) -> Response:
    logger.warning("nobody can log in", dependency=error.dependency, reason=error.reason)
    return _form(request, desk, wanted, status=503, trouble=told)
