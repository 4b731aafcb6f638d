"""A sentiment service of somebody else's, as the worker asks it (spec section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp
import msgspec

from voc_stream.clients.http_faults import HTTP_FAULTS, connection_fault, status_fault
from voc_stream.clients.tls import ResumingContext
from voc_stream.errors import TransientError
from voc_stream.settings import Settings

DEPENDENCY = "sentiment"

_PATH = "/v1/sentiment"
_PROBE = ("Thank you.",)
# A score in full precision with its comma takes less than half of it.
_LONGEST_ANSWER_A_TEXT = 64
_LONGEST_REST = 64 << 10
_CHUNK = 16 << 10


class _Answer(msgspec.Struct):
    """What the service may say; anything besides is ignored. In strict mode a bool or a string is no number, and JSON has no NaN."""

    scores: list[float]


_decode = msgspec.json.Decoder(_Answer, strict=True).decode


class SentimentClient:
    """Asks one sentiment service. `open` before use and `close` after; one pool of kept-alive connections.

    Args:
        settings: the `SENTIMENT_*` ones.
    """

    name = "remote"

    def __init__(self, settings: Settings) -> None:
        url = settings.sentiment_url or ""
        self._url = url if urlsplit(url).path else f"{url}{_PATH}"
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the pool; nothing is asked yet."""
        token = self._settings.sentiment_token.get_secret_value()
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"} if token else None,
            connector=aiohttp.TCPConnector(limit=self._settings.sentiment_in_flight + 1, keepalive_timeout=60, ssl=ResumingContext()),
            timeout=aiohttp.ClientTimeout(total=self._settings.sentiment_timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def score(self, texts: Sequence[str]) -> list[float]:
        """Return the score of each text, -1 to 1, in order.

        Raises:
            OutsideError: the service cannot be reached, refuses, or its answer is not one score from -1 to 1 for each text.
        """
        if self._session is None:
            msg = "the sentiment client is not open"
            raise RuntimeError(msg)
        try:
            async with self._session.post(
                self._url, data=_body(texts), headers={"Content-Type": "application/json"}, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise status_fault(DEPENDENCY, response)
                return _scores(await _read(response, _LONGEST_REST + _LONGEST_ANSWER_A_TEXT * len(texts)), len(texts))
        except HTTP_FAULTS as error:
            raise connection_fault(DEPENDENCY, error) from error

    async def probe(self) -> None:
        """Raise what is wrong with the service: it is asked for one score."""
        await self.score(_PROBE)


def _body(texts: Sequence[str]) -> bytes:
    return msgspec.json.encode({"texts": [text.encode("utf-8", "replace").decode() for text in texts]})


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > most:
            raise TransientError(DEPENDENCY, f"its answer is longer than {most} bytes")
    return bytes(body)


def _scores(body: bytes, count: int) -> list[float]:
    """Read an answer. What it holds is not quoted: it may repeat a text."""
    try:
        scores = _decode(body).scores
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransientError(DEPENDENCY, f"its answer cannot be read ({type(error).__name__})") from None
    if len(scores) != count:
        raise TransientError(DEPENDENCY, f"it answered {len(scores)} scores for {count} texts")
    if not all(-1 <= score <= 1 for score in scores):
        raise TransientError(DEPENDENCY, "a score of its answer is not from -1 to 1")
    return scores
