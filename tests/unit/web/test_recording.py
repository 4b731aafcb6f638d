"""A recording goes out piece by piece, no faster than it is taken, and S3 is let go of whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from starlette.types import Message

from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.streams import ByteStream
from voc_stream.errors import TransientError
from voc_stream.web import recording
from voc_stream.web.caps import BrokenAnswerError
from voc_stream.web.recording import OpenRecording, RecordingResponse

PIECES = [b"a" * 100, b"b" * 100, b"c" * 100]
SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {"spec_version": "2.4"}}


class FakeObjects:
    """One object, in pieces; counts how many were read, and whether it was closed."""

    def __init__(self, content_type: str = "audio/wav") -> None:
        self.read, self.closed, self.content_type = 0, False, content_type

    @asynccontextmanager
    async def open_object(self, _key: str, *, first: int, last: int) -> AsyncIterator[ByteStream]:
        try:
            yield ByteStream(last - first + 1, self.content_type, self._chunks())
        finally:
            self.closed = True

    async def _chunks(self) -> AsyncIterator[bytes]:
        for piece in PIECES:
            self.read += 1
            yield piece


async def opened(objects: FakeObjects) -> OpenRecording:
    return await OpenRecording.of(cast("ObjectStore", objects), "key", 0, 299)


async def silent() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_each_piece_is_read_when_the_one_before_was_taken() -> None:
    objects = FakeObjects()
    sent: list[tuple[int, bytes]] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            sent.append((objects.read, message["body"]))

    await RecordingResponse(await opened(objects), 200, {})(SCOPE, silent, send)
    assert sent == [(1, PIECES[0]), (2, PIECES[1]), (3, PIECES[2]), (3, b"")]
    assert objects.closed


async def test_a_listener_who_takes_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "SLOWEST_SECONDS", 0.01)
    objects = FakeObjects()

    async def send(_message: Message) -> None:
        await asyncio.Event().wait()

    with pytest.raises(BrokenAnswerError):
        await RecordingResponse(await opened(objects), 206, {})(SCOPE, silent, send)
    assert objects.closed


async def test_an_answer_that_s3_breaks_off_is_not_ended_as_if_it_were_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaking(_self: FakeObjects) -> AsyncIterator[bytes]:
        yield PIECES[0]
        raise TransientError("s3", "the object broke off")

    monkeypatch.setattr(FakeObjects, "_chunks", breaking)
    objects = FakeObjects()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(BrokenAnswerError):
        await RecordingResponse(await opened(objects), 200, {})(SCOPE, silent, send)
    assert all(message.get("more_body", True) for message in sent)
    assert objects.closed


async def test_who_goes_away_leaves_nothing_open() -> None:
    objects = FakeObjects()

    async def send(_message: Message) -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(RecordingResponse(await opened(objects), 200, {})(SCOPE, silent, send))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert objects.closed


@pytest.mark.parametrize(("stored", "told"), [("audio/mpeg", "audio/mpeg"), ("text/html", recording._ANY), ("audio/x; charset=x", recording._ANY)])
async def test_a_browser_is_told_of_audio_or_of_nothing(stored: str, told: str) -> None:
    assert (await opened(FakeObjects(stored))).media_type == told
