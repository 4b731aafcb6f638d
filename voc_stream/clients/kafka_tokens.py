"""Tokens that open Kafka (SASL OAUTHBEARER): from a file that somebody renews, or by client credentials (docs/kafka-security.md)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from voc_stream.clients.http_faults import HTTP_FAULTS
from voc_stream.settings import Settings

TIMEOUT_SECONDS = 10.0
MOST_BYTES = 64 << 10
# A token is used for this part of its life: what begins with it must not meet its end.
USED = 0.8
# RFC 6749 lets an endpoint leave the life of a token out.
UNKNOWN_LIFE_SECONDS = 60.0


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float = UNKNOWN_LIFE_SECONDS


class FileTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped
    """Reads the token at each connection, so that a renewed one counts without a restart.

    Args:
        path: of the file: the token, and white space around it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """Return the token.

        Raises:
            KafkaConnectionError: there is none; the client tries again.
        """
        try:
            text = await asyncio.to_thread(self._path.read_bytes)
        except OSError as error:
            raise KafkaConnectionError(f"KAFKA_OAUTH_TOKEN_FILE cannot be read ({type(error).__name__})") from None
        return _checked(text[:MOST_BYTES].decode("ascii", "replace").strip(), "KAFKA_OAUTH_TOKEN_FILE holds no token")


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped
    """Asks for a token (RFC 6749, 4.4), and gives the same one until most of its life is over.

    Faust's consumer has a thread and an event loop of its own, so nothing here belongs to a loop; two that ask at once get a token each.

    Args:
        settings: KAFKA_OAUTH_TOKEN_URL, KAFKA_OAUTH_SCOPE; KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are the client's id and secret.
        clock: seconds that only grow.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = settings.kafka_oauth_token_url or ""
        self._form = {"grant_type": "client_credentials"} | ({"scope": settings.kafka_oauth_scope} if settings.kafka_oauth_scope else {})
        client, secret = settings.kafka_sasl_username, settings.kafka_sasl_password.get_secret_value()
        self._proof = aiohttp.encode_basic_auth(quote(client, safe=""), quote(secret, safe=""))
        self._clock = clock
        self._kept = ("", float("-inf"))

    async def token(self) -> str:
        """Return a token that still lives.

        Raises:
            KafkaConnectionError: the endpoint gives none; the client tries again.
        """
        token, until = self._kept
        now = self._clock()
        if now < until:
            return token
        answer = await self._ask()
        self._kept = (answer.access_token, now + USED * answer.expires_in)
        return answer.access_token

    async def _ask(self) -> _Answer:
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS), cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.post(self._url, data=self._form, headers={"Authorization": self._proof}, allow_redirects=False) as response,
            ):
                body = await response.content.read(MOST_BYTES)
        except HTTP_FAULTS as error:
            raise KafkaConnectionError(f"KAFKA_OAUTH_TOKEN_URL cannot be reached ({type(error).__name__})") from None
        if response.status != 200:
            raise KafkaConnectionError(f"KAFKA_OAUTH_TOKEN_URL gives no token: it answered {response.status}")
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except msgspec.DecodeError:
            raise KafkaConnectionError("KAFKA_OAUTH_TOKEN_URL gives no token: its answer is not what OAuth 2 says") from None
        _checked(answer.access_token, "KAFKA_OAUTH_TOKEN_URL gives no token")
        return answer


def kafka_tokens(settings: Settings) -> AbstractTokenProvider:
    """Return what gives the tokens that the settings ask for."""
    path = settings.kafka_oauth_token_file
    return FileTokens(path) if path else ClientCredentials(settings)


def _checked(token: str, otherwise: str) -> str:
    # It is sent between control characters; one inside of it could say something of its own.
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise KafkaConnectionError(otherwise)
    return token
