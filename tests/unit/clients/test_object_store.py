"""What an upload costs, and what it leaves behind when S3 fails in the middle."""

from __future__ import annotations

import asyncio
import io
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from voc_stream.clients.object_store import PART_MEMORY, ObjectStore
from voc_stream.errors import OutsideError, TransientError
from voc_stream.settings import Settings

PART = 5 << 20
CHUNK = 64 << 10
TWO_HOURS = 115 << 20


class StubS3:
    """Takes what botocore would send; remembers how many uploads are open."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.parts: list[int] = []
        self.fails: set[str] = set()
        self.sending = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self._made = 0

    async def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        self._check("create")
        self._made += 1
        self.open.add(str(self._made))
        return {"UploadId": str(self._made)}

    async def upload_part(self, *, Body: io.BytesIO, ContentLength: int, **_: Any) -> dict[str, str]:  # noqa: N803 - S3's names
        self.sending.set()
        await self.go.wait()
        self._check("part")
        sent = 0
        while piece := Body.read(CHUNK):
            sent += len(piece)
            await asyncio.sleep(0)
        assert sent == ContentLength
        self.parts.append(sent)
        return {"ETag": "tag"}

    async def complete_multipart_upload(self, *, UploadId: str, **_: Any) -> None:  # noqa: N803 - S3's names
        self._check("complete")
        self.open.remove(UploadId)

    async def abort_multipart_upload(self, *, UploadId: str, **_: Any) -> None:  # noqa: N803 - S3's names
        self._check("abort")
        self.open.remove(UploadId)

    async def put_object_tagging(self, **_: Any) -> None:
        self._check("tag")

    def _check(self, step: str) -> None:
        if step in self.fails:
            raise ClientError({"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, step)


@pytest.fixture
def s3() -> StubS3:
    return StubS3()


@pytest.fixture
def store(s3: StubS3) -> ObjectStore:
    made = ObjectStore(Settings(s3_part_bytes=PART))
    made._client = s3
    return made


async def stream(size: int) -> AsyncIterator[bytes]:
    for at in range(0, size, CHUNK):
        yield bytes(min(CHUNK, size - at))


async def put(store: ObjectStore, chunks: AsyncIterator[bytes]) -> None:
    await store.put_stream("key", chunks, content_type="audio/wav", metadata=dict, tags=lambda _: {})


async def test_a_two_hour_recording_takes_the_memory_of_a_part(store: ObjectStore, s3: StubS3) -> None:
    tracemalloc.start()
    await put(store, stream(TWO_HOURS))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert s3.parts == [PART] * 23
    assert peak < 2 * PART


async def test_forty_at_once_share_the_part_memory(store: ObjectStore, s3: StubS3) -> None:
    tracemalloc.start()
    await asyncio.gather(*(put(store, stream(2 * PART)) for _ in range(40)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(s3.parts) == 40 * 2 * PART
    assert peak < PART_MEMORY * 1.3


async def test_nothing_is_read_while_a_part_is_sent(store: ObjectStore, s3: StubS3) -> None:
    read = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal read
        async for chunk in stream(3 * PART):
            read += len(chunk)
            yield chunk

    s3.go.clear()
    upload = asyncio.create_task(put(store, counted()))
    await s3.sending.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert read == PART
    s3.go.set()
    await upload
    assert read == 3 * PART


@pytest.mark.parametrize("step", ["create", "part", "complete"])
async def test_a_failed_upload_leaves_nothing_open(store: ObjectStore, s3: StubS3, step: str) -> None:
    s3.fails = {step}
    with pytest.raises(TransientError, match="SlowDown"):
        await put(store, stream(2 * PART))
    assert s3.open == set()


async def test_an_abort_that_fails_does_not_hide_what_went_wrong(store: ObjectStore, s3: StubS3) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(PART + 1)
        raise OutsideError("recorder", "the connection broke off")

    s3.fails = {"abort"}
    with pytest.raises(OutsideError, match="recorder"):
        await put(store, breaking())


async def test_a_recording_whose_tags_fail_is_tried_again(store: ObjectStore, s3: StubS3) -> None:
    s3.fails = {"tag"}
    with pytest.raises(TransientError):
        await put(store, stream(2 * PART))
    assert s3.open == set()


async def test_an_upload_cancelled_twice_is_still_aborted(store: ObjectStore, s3: StubS3) -> None:
    s3.go.clear()
    upload = asyncio.create_task(put(store, stream(2 * PART)))
    await s3.sending.wait()
    upload.cancel()
    await asyncio.sleep(0)
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    await store.close()
    assert s3.open == set()
