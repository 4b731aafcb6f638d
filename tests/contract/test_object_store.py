"""What every object store does: the fake, and the real one against an S3 server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from tests.fakes.object_store import FakeObjectStore
from voc_stream.clients.object_store import ObjectStore
from voc_stream.errors import OutageError, RejectedError, TransientError
from voc_stream.settings import Settings
from voc_stream.stages.outside import Stored

PART = 5 << 20
BUCKET = "contract"


def tags(stored: Stored) -> dict[str, str]:
    return {"agent_id": "O'Neil", "sha256": stored.sha256}


def metadata() -> dict[str, str]:
    return {"codec": "pcm_s16le"}


async def stream(data: bytes, size: int = 64 << 10) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def settings(endpoint: str, **more: Any) -> Settings:
    return Settings(s3_endpoint_url=endpoint, s3_access_key_id="key", s3_secret_access_key=SecretStr("secret"), s3_bucket=BUCKET, **more)


@pytest.fixture
async def s3(s3_server: str) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(settings(s3_server))
    await store.open()
    await store._client.create_bucket(Bucket=BUCKET)
    yield store
    await store.close()


@pytest.fixture(params=["fake", pytest.param("s3", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest) -> FakeObjectStore | ObjectStore:
    if request.param == "fake":
        return FakeObjectStore()
    real: ObjectStore = request.getfixturevalue("s3")
    return real


@pytest.mark.parametrize("size", [0, 1, 70_000, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 77])
async def test_a_stream_of_any_length_comes_back_as_it_went(store: FakeObjectStore | ObjectStore, size: int) -> None:
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    stored = await store.put_stream(f"raw/{size}", stream(data), content_type="audio/wav", metadata=metadata, tags=tags)
    assert stored == Stored(key=f"raw/{size}", sha256=hashlib.sha256(data).hexdigest(), size=size)
    assert await store.get_bytes(f"raw/{size}", size) == data
    assert await store.head(f"raw/{size}") == stored


async def test_an_object_streams_back_in_chunks_of_64_kib_at_most(store: FakeObjectStore | ObjectStore) -> None:
    await store.put_bytes("a", bytes(200_000), content_type="audio/wav", metadata={}, tags={})
    async with store.open_object("a") as found:
        chunks = [chunk async for chunk in found.chunks()]
    assert found.size == 200_000
    assert found.content_type == "audio/wav"
    assert max(map(len, chunks)) <= 64 << 10
    assert sum(map(len, chunks)) == 200_000


async def test_a_stream_may_be_left_early(store: FakeObjectStore | ObjectStore) -> None:
    await store.put_bytes("early", bytes(1 << 20), content_type="audio/wav", metadata={}, tags={})
    for _ in range(3):
        async with store.open_object("early") as found:
            assert await anext(found.chunks())


async def test_an_object_that_is_not_there_is_refused_and_has_no_head(store: FakeObjectStore | ObjectStore) -> None:
    assert await store.head("nowhere") is None
    with pytest.raises(RejectedError):
        await store.get_bytes("nowhere", 10)
    with pytest.raises(RejectedError):
        async with store.open_object("nowhere"):
            pass


async def test_objects_that_are_there_are_told_with_their_sizes_and_those_of_others_are_not(store: FakeObjectStore | ObjectStore) -> None:
    for name, size in {"raw/2026/11/21/9": 1, "raw/2026/11/22/1": 2, "raw/2026/11/22/3": 3, "raw/2026/11/22/30": 4, "raw/2026/11/22/5": 5}.items():
        await store.put_bytes(name, bytes(size), content_type="a/b", metadata={}, tags={})
    asked = ["raw/2026/11/22/1", "raw/2026/11/22/2", "raw/2026/11/22/30", "raw/2026/11/21/9", "raw/2026/11/20/1"]
    assert await store.sizes(asked) == {"raw/2026/11/22/1": 2, "raw/2026/11/22/30": 4, "raw/2026/11/21/9": 1}
    assert await store.sizes([]) == {}


async def test_an_object_longer_than_the_limit_is_not_read(store: FakeObjectStore | ObjectStore) -> None:
    await store.put_bytes("long", bytes(11), content_type="a/b", metadata={}, tags={})
    with pytest.raises(RejectedError):
        await store.get_bytes("long", 10)


async def test_an_error_of_the_stream_is_raised_as_it_is_and_nothing_is_stored(store: FakeObjectStore | ObjectStore) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(PART + 1)
        raise TransientError("recorder", "the connection broke off")

    with pytest.raises(TransientError, match="recorder"):
        await store.put_stream("broken", breaking(), content_type="audio/wav", metadata=metadata, tags=tags)
    assert await store.head("broken") is None


async def test_a_healthy_store_passes_the_probe_and_has_no_orphans(store: FakeObjectStore | ObjectStore) -> None:
    await store.probe()
    assert await store.abort_orphans(timedelta(hours=1)) == 0


@pytest.mark.integration
class TestOfS3Alone:
    """What only a server can show."""

    @pytest.mark.parametrize("size", [1000, PART + 1000])
    async def test_every_object_is_encrypted_tagged_and_described(self, s3: ObjectStore, size: int) -> None:
        stored = await s3.put_stream("all", stream(bytes(size)), content_type="audio/wav", metadata=metadata, tags=tags)
        head = await s3._client.head_object(Bucket=BUCKET, Key="all")
        tagging = await s3._client.get_object_tagging(Bucket=BUCKET, Key="all")
        assert head["ServerSideEncryption"] == "AES256"
        assert head["Metadata"] == metadata()
        assert head["ContentType"] == "audio/wav"
        assert {tag["Key"]: tag["Value"] for tag in tagging["TagSet"]} == {"agent_id": "O_Neil", "sha256": stored.sha256}

    @pytest.mark.parametrize("size", [1000, PART + 1000])
    async def test_a_kms_key_is_used_where_one_is_set(self, s3_server: str, s3: ObjectStore, size: int) -> None:
        store = ObjectStore(settings(s3_server, s3_sse="aws:kms", s3_kms_key_id="alias/recordings"))
        await store.open()
        await store.put_stream("kms", stream(bytes(size)), content_type="audio/wav", metadata=metadata, tags=tags)
        head = await s3._client.head_object(Bucket=BUCKET, Key="kms")
        await store.close()
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/recordings")

    async def test_a_cancelled_upload_leaves_no_parts(self, s3: ObjectStore) -> None:
        reading, never = asyncio.Event(), asyncio.Event()

        async def stalling() -> AsyncIterator[bytes]:
            yield bytes(2 * PART)
            reading.set()
            await never.wait()

        upload = asyncio.create_task(s3.put_stream("cancelled", stalling(), content_type="audio/wav", metadata=metadata, tags=tags))
        await reading.wait()
        assert await self._uploads(s3) == 1
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        assert await self._uploads(s3) == 0
        assert s3._budget.free == s3._budget.limit

    async def test_an_upload_cancelled_while_it_is_created_leaves_nothing(self, s3: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
        create, created = s3._client.create_multipart_upload, asyncio.Event()

        async def slow(**options: Any) -> Any:
            answer = await create(**options)
            created.set()
            await asyncio.sleep(0)
            return answer

        monkeypatch.setattr(s3._client, "create_multipart_upload", slow)
        upload = asyncio.create_task(s3.put_stream("unborn", stream(bytes(2 * PART)), content_type="audio/wav", metadata=metadata, tags=tags))
        await created.wait()
        upload.cancel()
        with suppress(asyncio.CancelledError):
            await upload
        assert await self._uploads(s3) == 0

    async def test_the_leftovers_of_a_killed_worker_are_aborted_once_old_enough(self, s3: ObjectStore) -> None:
        begun = await s3._client.create_multipart_upload(Bucket=BUCKET, Key="orphan")
        await s3._client.upload_part(Bucket=BUCKET, Key="orphan", UploadId=begun["UploadId"], PartNumber=1, Body=b"x")
        assert await s3.abort_orphans(timedelta(hours=1)) == 0
        assert await s3.abort_orphans(timedelta(0)) == 1
        assert await self._uploads(s3) == 0

    async def test_a_missing_bucket_is_an_outage_that_says_how_to_make_it(self, s3_server: str) -> None:
        store = ObjectStore(settings(s3_server).model_copy(update={"s3_bucket": "nobody-made-it"}))
        await store.open()
        attempts = (
            store.probe(),
            store.head("x"),
            store.put_bytes("x", b"", content_type="a/b", metadata={}, tags={}),
            store.put_stream("x", stream(bytes(PART + 1)), content_type="a/b", metadata=metadata, tags=tags),
        )
        for attempt in attempts:
            with pytest.raises(OutageError, match=r"no bucket nobody-made-it.*faust -A voc_stream bucket"):
                await attempt
        await store.close()

    @staticmethod
    async def _uploads(s3: ObjectStore) -> int:
        return len((await s3._client.list_multipart_uploads(Bucket=BUCKET)).get("Uploads", ()))


async def test_a_server_that_is_not_there_is_an_outage(unused_tcp_port: int) -> None:
    store = ObjectStore(settings(f"http://127.0.0.1:{unused_tcp_port}"))
    await store.open()
    with pytest.raises(OutageError):
        await store.probe()
    await store.close()
