"""A recording on its way from S3 to a listener: some bytes at a time, no faster than they are taken, and not for ever (RFC 9110, section 14)."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack

from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.streams import ByteStream
from voc_stream.errors import OutsideError
from voc_stream.logs import get_logger
from voc_stream.web.caps import BrokenAnswerError
from voc_stream.web.metrics import REFUSED

logger = get_logger(__name__)

# A listener who takes a piece of 64 KiB no sooner is gone, or means ill.
SLOWEST_SECONDS = 30.0

_AUDIO = re.compile(r"audio/[A-Za-z0-9.+-]{1,64}")
_ANY = "application/octet-stream"


class OpenRecording:
    """Bytes of a recording in S3, open until `close`."""

    def __init__(self, stream: ByteStream, stack: AsyncExitStack) -> None:
        self.stream = stream
        self._stack = stack

    @classmethod
    async def of(cls, objects: ObjectStore, key: str, first: int, last: int) -> OpenRecording:
        """Open bytes of an object, from `first` to `last`.

        Raises:
            RejectedError: it is there no longer.
            OutsideError: S3 failed.
        """
        stack = AsyncExitStack()
        return cls(await stack.enter_async_context(objects.open_object(key, first=first, last=last)), stack)

    @property
    def media_type(self) -> str:
        """Its type: of audio, or none that a browser would do anything with."""
        return self.stream.content_type if _AUDIO.fullmatch(self.stream.content_type) else _ANY

    async def close(self) -> None:
        """Let go of S3."""
        await self._stack.aclose()


class RecordingResponse(StreamingResponse):
    """Sends an open recording, and closes it whatever happens.

    Args:
        recording: what to send.
        status: 200 or 206.
        headers: its own.
    """

    def __init__(self, recording: OpenRecording, status: int, headers: dict[str, str]) -> None:
        super().__init__(recording.stream.chunks(), status, headers, recording.media_type)
        self._recording = recording

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            BrokenAnswerError: S3 failed on the way, or the listener takes it too slowly.
        """

        async def paced(message: Message) -> None:
            async with asyncio.timeout(SLOWEST_SECONDS):
                await send(message)

        try:
            await super().__call__(scope, receive, paced)
        except ClientDisconnect:
            # Also what a time-out becomes on its way.
            REFUSED.labels("slow_listener").inc()
            raise BrokenAnswerError from None
        except OutsideError as error:
            logger.warning("a recording broke off", dependency=error.dependency, reason=error.reason)
            raise BrokenAnswerError from None
        finally:
            await self._recording.close()
