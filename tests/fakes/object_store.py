"""S3 in memory: the same answers as the client's, proven by tests/contract/test_object_store.py."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from tests.fakes.faults import PlannedFaults
from voc_stream.clients.object_removal import Removed
from voc_stream.clients.object_store import Metadata, Tags
from voc_stream.clients.streams import ByteStream
from voc_stream.errors import RejectedError
from voc_stream.stages.keys import tag_value
from voc_stream.stages.outside import Stored

_CHUNK = 64 << 10


@dataclass(frozen=True, slots=True)
class FakeObject:
    """An object as it lies there."""

    data: bytes
    content_type: str
    metadata: Mapping[str, str]
    tags: Mapping[str, str]


class FakeObjectStore(PlannedFaults):
    """Holds objects by key.

    Attributes:
        objects: what is stored.
        puts: the keys stored, in order, repeats too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, FakeObject] = {}
        self.puts: list[str] = []

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def put_stream(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        *,
        content_type: str,
        metadata: Metadata,
        tags: Tags,
        expected_size: int | None = None,  # noqa: ARG002 - a hint that memory does not need
    ) -> Stored:
        data = b"".join([chunk async for chunk in chunks])
        self.check("put_stream")
        stored = Stored(key=key, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        return self._keep(stored, FakeObject(data, content_type, metadata(), tags(stored)))

    async def put_bytes(self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str], tags: Mapping[str, str]) -> Stored:
        self.check("put_bytes")
        stored = Stored(key=key, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        return self._keep(stored, FakeObject(data, content_type, metadata, {**tags, "sha256": stored.sha256}))

    async def get_bytes(self, key: str, limit: int) -> bytes:
        self.check("get_bytes")
        data = self._found(key).data
        if len(data) > limit:
            raise RejectedError("s3", f"the object is longer than {limit} bytes")
        return data

    @asynccontextmanager
    async def open_object(self, key: str) -> AsyncIterator[ByteStream]:
        self.check("open_object")
        found = self._found(key)
        yield ByteStream(len(found.data), found.content_type, self._chunks(found.data))

    async def head(self, key: str) -> Stored | None:
        self.check("head")
        found = self.objects.get(key)
        return None if found is None else Stored(key=key, sha256=found.tags.get("sha256", ""), size=len(found.data))

    async def sizes(self, keys: Collection[str]) -> dict[str, int]:
        self.check("sizes")
        return {key: len(self.objects[key].data) for key in keys if key in self.objects}

    async def delete_versions(self, keys: Collection[str]) -> Removed:
        self.check("delete_versions")
        return Removed(sum(self.objects.pop(key, None) is not None for key in set(keys)))

    async def abort_orphans(self, older_than: timedelta) -> int:  # noqa: ARG002 - uploads in memory leave nothing
        self.check("abort_orphans")
        return 0

    async def probe(self) -> None:
        self.check("probe")

    def _keep(self, stored: Stored, made: FakeObject) -> Stored:
        tags = {name: tag_value(value) for name, value in made.tags.items()}
        self.objects[stored.key] = FakeObject(made.data, made.content_type, dict(made.metadata), tags)
        self.puts.append(stored.key)
        return stored

    def _found(self, key: str) -> FakeObject:
        if key not in self.objects:
            raise RejectedError("s3", "it answered 404 NoSuchKey")
        return self.objects[key]

    async def _chunks(self, data: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(data), _CHUNK):
            self.check("chunks")
            yield data[at : at + _CHUNK]
