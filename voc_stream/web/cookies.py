"""The cookies of logging in: no script reads them, and no other site's form sends them along (docs/access.md)."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

from voc_stream.settings import Settings

LOGIN_SECONDS = 600


class Cookies:
    """Sets and reads two cookies: the session's id, and what a login that is under way must bring back.

    Where browsers come by TLS the names begin with `__Host-`, which no other host of the domain can set; outside dev that is everywhere.

    Args:
        settings: APP_ENV, HTTP_TLS_CERT_FILE, SESSION_SECONDS.
    """

    def __init__(self, settings: Settings) -> None:
        self._secure = settings.app_env != "dev" or settings.http_tls_cert_file is not None
        self._session_seconds = int(settings.session_seconds)
        prefix = "__Host-" if self._secure else ""
        self.session = f"{prefix}voc_session"
        self.login = f"{prefix}voc_login"

    def session_of(self, connection: HTTPConnection) -> str | None:
        """Return the session's id that a browser sent."""
        return connection.cookies.get(self.session)

    def login_of(self, connection: HTTPConnection) -> str | None:
        """Return what the login that is under way must bring back."""
        return connection.cookies.get(self.login)

    def begin_session(self, response: Response, session_id: str) -> None:
        """Give a browser its session, in place of the login."""
        self._set(response, self.session, session_id, self._session_seconds)
        self._remove(response, self.login)

    def end_session(self, response: Response) -> None:
        """Let a browser forget its session."""
        self._remove(response, self.session)

    def begin_login(self, response: Response, value: str) -> None:
        """Let a browser keep what its login must bring back."""
        self._set(response, self.login, value, LOGIN_SECONDS)

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(name, value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax")

    def _remove(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="lax")
