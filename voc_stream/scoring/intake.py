"""Requests to bounded places: the multipart form of the contract, part by part, into temporary files as the bytes arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Self, cast

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from voc_stream.scoring.errors import MalformedError, NotAudioError, TooLargeError, UploadStalledError

_CHUNK = 1 << 16
_IN_MEMORY = 1 << 20
_LARGEST_METADATA = 1 << 16
_PLAIN_ENCODINGS = frozenset(("", "binary", "8bit", "7bit"))
# What aiohttp raises where the body is not the form that its header announces.
_BROKEN = (HttpProcessingError, web.RequestPayloadError, ValueError, RuntimeError, AssertionError, LookupError)


def spool() -> BinaryIO:
    """A temporary file, in memory up to 1 MiB and on disk (without a name) above."""
    return cast("BinaryIO", SpooledTemporaryFile(max_size=_IN_MEMORY))


@dataclass(slots=True)
class Form:
    """A request's parts, in the order in which they come."""

    parts: MultipartReader
    left: int
    idle_seconds: float

    @classmethod
    async def open(cls, request: web.Request, *, max_bytes: int, idle_seconds: float) -> Self:
        """Begin to read a request.

        Raises:
            MalformedError, NotAudioError, TooLargeError: it is no multipart form, it is compressed, or it is too large as it says itself.
        """
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            msg = "Compressed bodies are not accepted; send the form as it is."
            raise NotAudioError(msg)
        if not request.content_type.startswith("multipart/"):
            msg = "The body must be multipart/form-data: a part metadata, then a part audio."
            raise MalformedError(msg)
        if (request.content_length or 0) > max_bytes + _LARGEST_METADATA:
            raise _too_large()
        try:
            return cls(await request.multipart(), max_bytes, idle_seconds)
        except _BROKEN as error:
            raise _broken() from error

    async def metadata(self) -> bytes:
        """The first part."""
        part = await self._next("metadata")
        if part is None:
            msg = "The part metadata is missing."
            raise MalformedError(msg)
        text = bytearray()
        async for chunk in self._chunks(part):
            text += chunk
            if len(text) > _LARGEST_METADATA:
                msg = f"The metadata are larger than {_LARGEST_METADATA} bytes."
                raise TooLargeError(msg)
        return bytes(text)

    async def audio(self, into: BinaryIO) -> bool:
        """Copy the next recording into a file; False where there is none left."""
        part = await self._next("audio")
        if part is None:
            return False
        async for chunk in self._chunks(part):
            self.left -= len(chunk)
            if self.left < 0:
                raise _too_large()
            await asyncio.to_thread(into.write, chunk)
        return True

    async def end(self) -> None:
        """Make sure that nothing follows."""
        if await self._read(self.parts.next()) is not None:
            msg = "There are more parts than the form has."
            raise MalformedError(msg)

    async def _next(self, name: str) -> BodyPartReader | None:
        part = await self._read(self.parts.next())
        if part is None:
            return None
        if not isinstance(part, BodyPartReader) or part.name != name:
            msg = f"A part named {name} was expected here: metadata comes first, then audio."
            raise MalformedError(msg)
        if part.headers.get("Content-Encoding", "identity").lower() != "identity" or (
            part.headers.get("Content-Transfer-Encoding", "").lower() not in _PLAIN_ENCODINGS
        ):
            msg = f"The part {name} is encoded; send it as it is."
            raise NotAudioError(msg)
        return part

    async def _chunks(self, part: BodyPartReader) -> AsyncIterator[bytes]:
        while chunk := await self._read(part.read_chunk(_CHUNK)):
            yield chunk

    async def _read(self, step: Any) -> Any:
        try:
            async with asyncio.timeout(self.idle_seconds):
                return await step
        except TimeoutError as error:
            msg = f"No byte of the request arrived for {self.idle_seconds:g} s."
            raise UploadStalledError(msg) from error
        except _BROKEN as error:
            raise _broken() from error


def _broken() -> MalformedError:
    return MalformedError("The body is not the multipart form that its header announces.")


def _too_large() -> TooLargeError:
    return TooLargeError("The recording is larger than the limit of this service.")
