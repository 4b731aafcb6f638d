"""The scoring API, as the worker calls it (spec section 2.5)."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import aiohttp
import msgspec

from voc_stream.clients.http_faults import HTTP_FAULTS, connection_fault, item_fault, status_fault
from voc_stream.clients.scoring_wire import BatchItem, BatchReply, Model, ScoreReply, ScoreRequest, ServiceError
from voc_stream.clients.tls import ResumingContext
from voc_stream.errors import OutsideError, TransientError
from voc_stream.settings import Settings
from voc_stream.tracing.current import carried

DEPENDENCY = "scorer"
MODEL_AGE = 60.0
LONGEST_REPLY = 32 << 20

_LONGEST_DETAIL = 300
_QUICK = aiohttp.ClientTimeout(total=10)
_CHUNK = 64 << 10

T = TypeVar("T")


class ScoringClient:
    """Calls one scoring service. `open` before use and `close` after; one pool of kept-alive connections.

    Every method raises `OutsideError` for a fault of the service: `RejectedError` carries the service's own sentence.

    Args:
        settings: the `SCORING_*` ones.
        clock: seconds that only grow; the age of the model version is measured by it.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._model: tuple[float, str] | None = None
        self._asking = asyncio.Lock()

    async def open(self) -> None:
        """Make the pool; nothing is asked yet."""
        token = self._settings.scoring_token.get_secret_value()
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"} if token else None,
            connector=aiohttp.TCPConnector(limit=self._settings.scoring_in_flight + 4, keepalive_timeout=60, ssl=ResumingContext()),
            timeout=aiohttp.ClientTimeout(total=self._settings.scoring_timeout_seconds, sock_connect=10),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def model_version(self) -> str:
        """Return what the service scores with, at most `MODEL_AGE` seconds old."""
        async with self._asking:
            if self._model is None or self._clock() - self._model[0] >= MODEL_AGE:
                body = await self._send("GET", "/v1/model", within=_QUICK)
                self._model = (self._clock(), _decode(body, Model).model_version)
            return self._model[1]

    async def score(self, request: ScoreRequest, audio: AsyncIterator[bytes]) -> ScoreReply:
        """Score one recording; its first bytes leave while the rest is still being read.

        Args:
            request: the call.
            audio: the recording's bytes. An error of its own is raised as it is, not as the service's.
        """
        source = _Source(audio)
        form = _form(msgspec.json.encode(request))
        form.add_field("audio", source.chunks(), filename="audio", content_type="application/octet-stream")
        try:
            body = await self._score("/v1/score", form)
        except OutsideError:
            if source.error is not None:
                raise source.error from None
            raise
        return _verdict(body, request)

    async def score_batch(self, calls: Sequence[tuple[ScoreRequest, bytes]]) -> list[ScoreReply | OutsideError]:
        """Score short recordings in one request.

        Returns:
            For each call, in order, its verdict or the error that its own request would have raised.
        """
        form = _form(msgspec.json.encode({"calls": [request for request, _ in calls]}))
        for _, audio in calls:
            form.add_field("audio", io.BytesIO(audio), filename="audio", content_type="application/octet-stream")
        results = _decode(await self._score("/v1/score/batch", form), BatchReply).results
        if len(results) != len(calls):
            raise TransientError(DEPENDENCY, f"it answered {len(results)} of {len(calls)} calls")
        return [_item(bytes(result), request) for result, (request, _) in zip(results, calls, strict=True)]

    async def probe(self) -> None:
        """Raise what is wrong with the service; one whose models are not loaded yet is not well."""
        await self._send("GET", "/readyz", within=_QUICK)

    async def _score(self, path: str, form: aiohttp.FormData) -> bytes:
        """Send recordings, and ask now and then whether the service is still there: one that hangs would keep them for SCORING_TIMEOUT_SECONDS.

        Raises:
            OutsideError: of the request; or of the second of two questions in a row: a single one may be late on a busy machine.
        """
        answer = asyncio.ensure_future(self._send("POST", path, form))
        silent = False
        try:
            while not (await asyncio.wait({answer}, timeout=self._settings.scoring_check_seconds))[0]:
                try:
                    await self.probe()
                except OutsideError:
                    if silent:
                        raise
                    silent = True
                else:
                    silent = False
            return answer.result()
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)

    async def _send(self, method: str, path: str, data: aiohttp.FormData | None = None, within: aiohttp.ClientTimeout | None = None) -> bytes:
        """Return the body of a 200.

        Raises:
            OutsideError: anything else.
        """
        if self._session is None:
            msg = "the scoring client is not open"
            raise RuntimeError(msg)
        url = f"{self._settings.scoring_url}{path}"
        try:
            timeout = within or self._session.timeout
            async with self._session.request(method, url, data=data, headers=carried(), timeout=timeout, allow_redirects=False) as response:
                body = await _read(response)
                if response.status != 200:
                    raise status_fault(DEPENDENCY, response, _detail(body))
                return body
        except HTTP_FAULTS as error:
            raise connection_fault(DEPENDENCY, error) from error


class _Source:
    """A stream on its way into a request; aiohttp reports its error as one of the connection, so it is kept here."""

    def __init__(self, audio: AsyncIterator[bytes]) -> None:
        self.error: Exception | None = None
        self._audio = audio

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._audio:
                yield chunk
        except Exception as error:
            self.error = error
            raise


def _form(metadata: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("metadata", metadata.decode(), content_type="application/json")
    return form


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > LONGEST_REPLY:
            raise TransientError(DEPENDENCY, f"its answer is longer than {LONGEST_REPLY} bytes")
    return bytes(body)


def _detail(body: bytes) -> str:
    """Return the service's sentence of an error's body, or "" where it has none."""
    try:
        return msgspec.json.decode(body, type=ServiceError).detail[:_LONGEST_DETAIL]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _decode(body: bytes, kind: type[T]) -> T:
    """Decode an answer; one that cannot be read is a fault of this attempt. What it holds is not quoted: it may be a transcript."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransientError(DEPENDENCY, f"its answer cannot be read ({type(error).__name__})") from None


def _verdict(body: bytes, request: ScoreRequest) -> ScoreReply:
    reply = _decode(body, ScoreReply)
    if reply.call_id != request.call_id:
        raise TransientError(DEPENDENCY, "it answered for another call")
    return reply


def _item(body: bytes, request: ScoreRequest) -> ScoreReply | OutsideError:
    try:
        fault = _decode(body, BatchItem).error
        return _verdict(body, request) if fault is None else item_fault(DEPENDENCY, fault.status, fault.detail[:_LONGEST_DETAIL])
    except TransientError as error:
        return error
