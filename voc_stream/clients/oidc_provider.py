"""The identity provider: its addresses, its keys, and the exchange of a login's code for a token (OpenID Connect; docs/access.md)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import msgspec

from voc_stream.clients.http_faults import HTTP_FAULTS, connection_fault
from voc_stream.errors import OutageError, OutsideError
from voc_stream.logs import get_logger
from voc_stream.security.grants import Refusal, RefusedError
from voc_stream.security.oidc import Key, key_id, public_keys
from voc_stream.settings import Settings

logger = get_logger(__name__)

DEPENDENCY = "oidc"
TIMEOUT_SECONDS = 5.0
MOST_BYTES = 1 << 20
# Keys are asked for again when they are so old, so that one that was withdrawn does not verify for long ...
FRESH_SECONDS = 600.0
# ... and while the provider does not answer, those that are known hold for so long.
STALE_SECONDS = 86_400.0
# A key id that nobody knows makes us ask, but not more often than this: anybody can make up key ids.
LEAST_SECONDS = 10.0


class Provider:
    """Asks the provider that OIDC_ISSUER names. Redirects are not followed, answers are bounded; outside dev every address is https.

    Args:
        settings: OIDC_*, APP_ENV.
        clock: seconds that only grow.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        if settings.oidc_issuer is None:
            msg = "OIDC_ISSUER is not set"
            raise ValueError(msg)
        self._settings = settings
        self._issuer = settings.oidc_issuer
        self._secret = settings.oidc_client_secret
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._keys: dict[str | None, Key] = {}
        self._asked = self._got = float("-inf")
        self._asking = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Make the session; nobody is asked yet."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS), cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "voc-stream"}
        )

    async def close(self) -> None:
        """Close the session."""
        if self._renewal is not None:
            self._renewal.cancel()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def renew(self, settings: Settings) -> None:
        """Use the client secret of these settings from now on."""
        self._secret = settings.oidc_client_secret

    async def key_of(self, token: str) -> Key:
        """Return the key that a JWT says it is signed with. Without a `kid` it is the provider's only key.

        Raises:
            RefusedError: it is no JWT, or the provider has no such key.
            OutsideError: the provider's keys are not known, and it does not tell them.
        """
        kid = key_id(token)
        key = self._known(kid)
        age = self._clock() - self._got
        if key is not None and age < STALE_SECONDS:
            if age >= FRESH_SECONDS:
                self._renew_beside()
            return key
        await self._renew_keys()
        key = self._known(kid)
        if key is None:
            raise RefusedError(Refusal.KEY)
        return key

    async def authorization_url(self, *, state: str, nonce: str, challenge: str) -> str:
        """Return where a browser goes to log in.

        Args:
            state: comes back with the code.
            nonce: comes back within the token.
            challenge: of PKCE, S256.

        Raises:
            OutsideError: the provider does not tell.
        """
        endpoint = self._address(await self._discover(), "authorization_endpoint")
        asked = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self._settings.oidc_redirect_url or "",
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def redeem(self, code: str, verifier: str) -> str:
        """Return the ID token that a login's code is good for, not verified yet.

        Raises:
            RefusedError: the provider does not take the code.
            OutsideError: it does not answer as it should.
        """
        document = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.oidc_redirect_url or "",
            "code_verifier": verifier,
        }
        headers, more = self._proof(document)
        answer = await self._ask("POST", self._address(document, "token_endpoint"), data=form | more, headers=headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise RefusedError(Refusal.LOGIN)
        return token

    def _proof(self, document: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        """Return the headers and the form fields that say who we are."""
        client, secret = self._settings.oidc_client_id, self._secret.get_secret_value()
        if not secret:
            return {}, {"client_id": client}
        if "client_secret_basic" in document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]):
            return {"Authorization": aiohttp.encode_basic_auth(quote(client, safe=""), quote(secret, safe=""))}, {}
        return {}, {"client_id": client, "client_secret": secret}

    def _known(self, kid: str | None) -> Key | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def _renew_beside(self) -> None:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew_quietly())

    async def _renew_quietly(self) -> None:
        try:
            await self._renew_keys()
        except OutsideError as error:
            logger.warning("the identity provider's keys could not be read again", reason=str(error))

    async def _renew_keys(self) -> None:
        """Ask for the keys, unless somebody did a moment ago.

        Raises:
            OutsideError: they are not known, or too old.
        """
        async with self._asking:
            if self._clock() - self._asked >= LEAST_SECONDS:
                self._asked = self._clock()
                address = self._settings.oidc_jwks_url or self._address(await self._discover(), "jwks_uri")
                self._keys = public_keys(await self._ask("GET", address))
                self._got = self._clock()
        if self._clock() - self._got >= STALE_SECONDS:
            raise OutageError(DEPENDENCY, "its keys are not known")

    async def _discover(self) -> dict[str, Any]:
        document = await self._ask("GET", f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self._issuer:
            raise OutageError(DEPENDENCY, "its discovery document is another issuer's: OIDC_ISSUER must be exactly what it says")
        return document

    def _address(self, document: Mapping[str, Any], name: str) -> str:
        address = document.get(name)
        schemes = {"https", "http"} if self._settings.app_env == "dev" else {"https"}
        if not isinstance(address, str) or urlsplit(address).scheme not in schemes:
            raise OutageError(DEPENDENCY, f"its {name} is missing, or no https address")
        return address

    async def _ask(self, method: str, address: str, **more: Any) -> dict[str, Any]:
        if self._session is None:
            msg = "the provider is not open"
            raise RuntimeError(msg)
        try:
            async with self._session.request(method, address, allow_redirects=False, **more) as response:
                if response.status == 400 and method == "POST":
                    raise RefusedError(Refusal.LOGIN)
                if response.status != 200:
                    raise OutageError(DEPENDENCY, f"it answered {response.status}")
                body = bytearray()
                async for chunk in response.content.iter_chunked(64 << 10):
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise OutageError(DEPENDENCY, f"its answer is longer than {MOST_BYTES} bytes")
        except HTTP_FAULTS as error:
            raise connection_fault(DEPENDENCY, error) from None
        try:
            return msgspec.json.decode(bytes(body), type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            raise OutageError(DEPENDENCY, "its answer is not what OpenID Connect says") from None
