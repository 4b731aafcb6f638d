"""The recorder, as its HTTP API lets it be asked (spec section 2.1): search and replay, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import aiohttp

from voc_stream.clients.http_faults import HTTP_FAULTS, connection_fault, status_fault
from voc_stream.clients.recorder_time import Window, windows
from voc_stream.clients.recorder_xml import MalformedResultError, SearchReader
from voc_stream.clients.streams import ByteStream, Pace
from voc_stream.clients.tls import ResumingContext
from voc_stream.errors import NotThereYetError, OutageError, RejectedError, TransientError
from voc_stream.settings import Settings
from voc_stream.stages.outside import SearchResult

DEPENDENCY = "recorder"
CHUNK = 64 << 10
LONGEST_RESULT = 64 << 20

_BETWEEN = "9"


class _Command(StrEnum):
    """What may be asked of the recorder. It knows more, `delete` among it; a command that is not here cannot be sent."""

    SEARCH = "search"
    REPLAY = "replay"


class RecorderClient:
    """Asks one recorder. `open` before use and `close` after; one pool of kept-alive connections.

    Every method raises `OutsideError` for a fault of the recorder, never with personal data or credentials in it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._zone = ZoneInfo(settings.avaya_timezone)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the pool; nothing is asked yet."""
        settings = self._settings
        password = settings.avaya_password.get_secret_value()
        self._session = aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth(settings.avaya_username, password)} if settings.avaya_username else None,
            # Four more than the downloads, so that a search never waits for one.
            connector=aiohttp.TCPConnector(limit=settings.download_in_flight + 4, keepalive_timeout=60, ssl=ResumingContext()),
            # A recording may take hours; what is bounded is its silence.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.avaya_timeout_seconds, sock_read=settings.avaya_timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def search(self, start: datetime, end: datetime) -> SearchResult:
        """Find the segments that started from `start` to `end`, both aware and inclusive.

        A window over the end of daylight saving time is asked in two. In the repeated hour the recorder cannot tell the passes apart, so the
        result may hold segments an hour off the window.
        """
        found = [await self._search(window) for window in windows(start, end, self._zone)]
        if len(found) == 1:
            return found[0]
        segments = {segment.inum: segment for result in reversed(found) for segment in result.segments}
        return SearchResult(
            segments=tuple(segments.values()),
            rejects=tuple(dict.fromkeys(reject for result in found for reject in result.rejects)),
            capped=any(result.capped for result in found),
        )

    @asynccontextmanager
    async def replay(self, inum: str) -> AsyncIterator[ByteStream]:
        """Open a recording; its chunks arrive as they are read, and leaving early closes the connection.

        Raises:
            NotThereYetError: 404.
            RejectedError: it is longer than `DOWNLOAD_MAX_BYTES` (also while it is read), or the recorder refuses this recording.
        """
        # A compressed body would not be as long as Content-Length says.
        response = await self._ask(_Command.REPLAY, {"id": inum}, headers={"Accept-Encoding": "identity"})
        try:
            if response.status == 404:
                raise NotThereYetError(DEPENDENCY, "the recording is not there")
            if response.status != 200:
                raise status_fault(DEPENDENCY, response)
            size = None if "Content-Encoding" in response.headers else response.content_length
            self._check_size(size or 0)
            yield ByteStream(size, response.content_type, self._chunks(response))
        finally:
            response.close()

    async def probe(self) -> None:
        """Ask for an empty window, an hour ahead, and raise what is wrong."""
        ahead = datetime.now(UTC) + timedelta(hours=1)
        await self.search(ahead, ahead)

    async def _search(self, window: Window) -> SearchResult:
        reader = SearchReader(self._zone, window, self._settings.avaya_recorder_id)
        try:
            async with asyncio.timeout(self._settings.avaya_timeout_seconds * 2):
                await self._read(reader, window)
        except MalformedResultError as error:
            raise TransientError(DEPENDENCY, str(error)) from None
        except HTTP_FAULTS as error:
            raise connection_fault(DEPENDENCY, error) from error
        return SearchResult(segments=tuple(reader.segments), rejects=tuple(reader.rejects), capped=reader.results >= self._settings.avaya_result_cap)

    async def _read(self, reader: SearchReader, window: Window) -> None:
        response = await self._ask(_Command.SEARCH, self._question(window))
        try:
            if response.status == 404:
                raise OutageError(DEPENDENCY, "nothing answers a search at AVAYA_URL")
            if response.status != 200:
                raise status_fault(DEPENDENCY, response)
            total = 0
            async for chunk in response.content.iter_chunked(4 * CHUNK):
                total += len(chunk)
                if total > LONGEST_RESULT:
                    raise TransientError(DEPENDENCY, f"the search result is longer than {LONGEST_RESULT} bytes")
                # A long list takes seconds of parsing, which the event loop does not have.
                await asyncio.to_thread(reader.feed, chunk)
            reader.close()
        finally:
            response.close()

    def _question(self, window: Window) -> dict[str, str]:
        return {
            "layout": self._settings.avaya_layout,
            "operator_startedat": _BETWEEN,
            "param1_startedat": f"{window.wall_start:%d/%m/%y}",
            "param2_startedat": f"{window.wall_start:%H:%M:%S}",
            "param3_startedat": f"{window.wall_end:%d/%m/%y}",
            "param4_startedat": f"{window.wall_end:%H:%M:%S}",
        }

    async def _ask(self, command: _Command, question: dict[str, str], headers: dict[str, str] | None = None) -> aiohttp.ClientResponse:
        if self._session is None:
            msg = "the recorder client is not open"
            raise RuntimeError(msg)
        params = question | {"command": command.value}
        try:
            # Of connecting and of the answer's head; what comes byte by byte is never silent.
            async with asyncio.timeout(2 * self._settings.avaya_timeout_seconds):
                return await self._session.get(self._settings.avaya_url, params=params, headers=headers, allow_redirects=False)
        except HTTP_FAULTS as error:
            raise connection_fault(DEPENDENCY, error) from error

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        total = 0
        pace = Pace(DEPENDENCY, self._settings.avaya_timeout_seconds)
        try:
            while chunk := await pace.of(response.content.read(CHUNK)):
                total += len(chunk)
                self._check_size(total)
                yield chunk
        except HTTP_FAULTS as error:
            raise connection_fault(DEPENDENCY, error) from error

    def _check_size(self, size: int) -> None:
        if size > self._settings.download_max_bytes:
            raise RejectedError(DEPENDENCY, f"the recording is longer than DOWNLOAD_MAX_BYTES ({self._settings.download_max_bytes} bytes)")
