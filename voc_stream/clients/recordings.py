"""Recordings, from the recorder into S3 as one stream: no disk, memory of one part, hashed and probed on the way (spec section 2.4)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC
from typing import Protocol

from voc_stream.clients.object_store import Metadata, Tags
from voc_stream.clients.probe import AudioProbe, NotAudioError
from voc_stream.clients.streams import ByteStream
from voc_stream.events.calls import EnrichedCall
from voc_stream.stages.keys import recording_key
from voc_stream.stages.outside import AudioFacts, Copied, Stored

_CONTENT_TYPE = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}")


def _nothing() -> None:
    return


class Replays(Protocol):
    """What is needed of a recorder."""

    def replay(self, inum: str) -> AbstractAsyncContextManager[ByteStream]:
        """Open a recording."""
        ...


class Stores(Protocol):
    """What is needed of an object store."""

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], *, content_type: str, metadata: Metadata, tags: Tags, expected_size: int | None = None
    ) -> Stored:
        """Store a stream."""
        ...


class Recordings:
    """Copies recordings; a second copy of the same call gives the same object."""

    def __init__(self, recorder: Replays, store: Stores) -> None:
        self._recorder = recorder
        self._store = store

    async def copy(self, call: EnrichedCall, inum: str, on_read: Callable[[], None] = _nothing, on_answer: Callable[[], None] = _nothing) -> Copied:
        """Copy one recording.

        Args:
            call: whose recording it is.
            inum: the recorder's name of it (`inum_of` of its call_id).
            on_read: called when the recorder has sent everything, which S3 may not have yet.
            on_answer: called when the recorder has sent the first bytes, if there are any.

        Raises:
            NotThereYetError: the recorder has no such recording.
            OutsideError: of the recorder or of S3, as they raise them.
        """
        key = recording_key(call.call_id, call.started_at)
        probe = AudioProbe()
        try:
            async with self._recorder.replay(inum) as recording:
                stored = await self._store.put_stream(
                    key,
                    _probed(recording.chunks(), probe, on_read, on_answer),
                    content_type=recording.content_type if _CONTENT_TYPE.fullmatch(recording.content_type) else "application/octet-stream",
                    metadata=probe.known,
                    tags=lambda stored: _tags(call, stored),
                    expected_size=recording.size,
                )
            facts, problem = await _outcome(probe)
        finally:
            probe.close()
        return Copied(key=key, sha256=stored.sha256, size=stored.size, facts=facts, problem=problem)


async def _probed(
    chunks: AsyncIterator[bytes], probe: AudioProbe, on_read: Callable[[], None], on_answer: Callable[[], None]
) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        on_answer()
        await probe.feed(chunk)
        yield chunk
    on_read()
    # Ended before the object of a short recording is made, so that its metadata tells the duration too.
    await _outcome(probe)


async def _outcome(probe: AudioProbe) -> tuple[AudioFacts | None, str | None]:
    try:
        return await probe.finish(), None
    except NotAudioError as error:
        return None, str(error)


def _tags(call: EnrichedCall, stored: Stored) -> Mapping[str, str]:
    date = call.started_at.astimezone(UTC).date().isoformat()
    return {"call_id": call.call_id, "agent_id": call.agent_id, "date": date, "sha256": stored.sha256}
