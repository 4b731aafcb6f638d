"""S3: recordings and transcripts, encrypted, in bounded memory (spec sections 2.4 and 9)."""

from __future__ import annotations

import asyncio
import hashlib
import io
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from urllib.request import getproxies

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from voc_stream.clients.byte_budget import ByteBudget
from voc_stream.clients.object_removal import Removed, remove_versions
from voc_stream.clients.s3_faults import DEPENDENCY, bounded, code_of, faults
from voc_stream.clients.s3_parts import Parts, crc32_of
from voc_stream.clients.s3_put import DirectPut
from voc_stream.clients.s3_upload import MultipartUpload
from voc_stream.clients.streams import ByteStream, Pace
from voc_stream.errors import RejectedError, TransientError
from voc_stream.settings import Settings
from voc_stream.stages.keys import tag_value
from voc_stream.stages.outside import Stored
from voc_stream.tracing.current import told_as

CHUNK = 64 << 10

_CONNECT_SECONDS = 10.0
# Bytes a second.
_SLOWEST_UPLOAD = 64 << 10

# Of all uploads' part buffers together: 32 parts of 5 MiB.
PART_MEMORY = 160 << 20

Tags = Callable[[Stored], Mapping[str, str]]
Metadata = Callable[[], Mapping[str, str]]


class ObjectStore:
    """The bucket of recordings and transcripts. `open` before use and `close` after.

    Every object is encrypted at rest (`S3_SSE`); what a tag cannot hold becomes `_`. Every method raises `OutsideError` for a fault of S3:
    `RejectedError` for a key that is not there, `OutageError` for a bucket that is not.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        self._budget = ByteBudget(PART_MEMORY)
        self._cleanups: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()
        self._client: Any = None
        self._direct: DirectPut | None = None

    async def open(self) -> None:
        """Make the client and its pool; nothing is asked yet."""
        settings = self._settings
        session = get_session()
        if settings.s3_access_key_id:
            session.set_credentials(settings.s3_access_key_id, settings.s3_secret_access_key.get_secret_value())
        self._client = await self._stack.enter_async_context(
            session.create_client("s3", region_name=settings.s3_region, endpoint_url=settings.s3_endpoint_url, config=_config(settings))
        )
        if not getproxies():
            self._direct = DirectPut(session, self._client, settings)
            self._stack.push_async_callback(self._direct.close)

    async def close(self) -> None:
        """Wait for uploads that are being aborted, then close the pool."""
        if self._cleanups:
            await asyncio.wait(self._cleanups, timeout=self._settings.s3_timeout_seconds)
        await self._stack.aclose()

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], *, content_type: str, metadata: Metadata, tags: Tags, expected_size: int | None = None
    ) -> Stored:
        """Store a stream of any length in the memory of one part, hashing it on the way.

        A stream shorter than a part is one put. A longer one is a multipart upload, aborted if anything comes between.

        Args:
            key: the object's key.
            chunks: the stream; it waits while a part is sent. Its own errors are raised as they are.
            content_type: the object's.
            metadata: asked when the object is created, which is when the first part (or all of a short stream) has been read.
            tags: asked at the end, when the hash is known.
            expected_size: bytes to come, where known: a short stream then takes less of the shared memory.
        """
        parts = Parts(chunks, self._settings.s3_part_bytes)
        await parts.start()
        share = self._settings.s3_part_bytes
        async with self._budget.hold(share if expected_size is None else min(share, max(expected_size, CHUNK))):
            if not await parts.fill():
                stored = Stored(key=key, sha256=parts.sha256, size=parts.size)
                options = self._options(content_type, metadata())
                await self._put(stored, parts.buffer, parts.checksum, options, tags(stored))
                return stored
            upload = MultipartUpload(self._client, self._bucket, key, self._cleanups, self._patience)
            await upload.send(parts, self._options(content_type, metadata()))
        stored = Stored(key=key, sha256=parts.sha256, size=parts.size)
        async with bounded(self._bucket, self._patience(0)):
            tag_set = [{"Key": name, "Value": tag_value(value)} for name, value in tags(stored).items()]
            await self._client.put_object_tagging(Bucket=self._bucket, Key=key, Tagging={"TagSet": tag_set})
        return stored

    @told_as("s3 put")
    async def put_bytes(self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str], tags: Mapping[str, str]) -> Stored:
        """Store bytes as an object; the tag `sha256` is added."""
        stored = Stored(key=key, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        options = self._options(content_type, metadata)
        await self._put(stored, io.BytesIO(data), crc32_of(zlib.crc32(data)), options, {**tags, "sha256": stored.sha256})
        return stored

    @told_as("s3 get")
    async def get_bytes(self, key: str, limit: int) -> bytes:
        """Read an object of at most `limit` bytes.

        Raises:
            RejectedError: it is not there, or longer.
        """
        async with self.open_object(key) as found:
            if found.size is None or found.size > limit:
                raise RejectedError(DEPENDENCY, f"the object is longer than {limit} bytes")
            return b"".join([chunk async for chunk in found.chunks()])

    @asynccontextmanager
    async def open_object(self, key: str, *, first: int | None = None, last: int | None = None) -> AsyncIterator[ByteStream]:
        """Open an object; its chunks, 64 KiB at most, arrive as they are read, and leaving early closes the connection.

        Args:
            key: the object's.
            first: with `last`, both inclusive: only these bytes of it; `size` is then theirs.
            last: see `first`.

        Raises:
            RejectedError: it is not there, or has no such bytes.
        """
        part = {} if first is None else {"Range": f"bytes={first}-{'' if last is None else last}"}
        async with bounded(self._bucket, self._patience(0)):
            answer = await self._client.get_object(Bucket=self._bucket, Key=key, **part)
        body = answer["Body"]
        try:
            yield ByteStream(answer["ContentLength"], answer.get("ContentType", ""), self._chunks(body, answer["ContentLength"]))
        finally:
            body.close()

    async def head(self, key: str) -> Stored | None:
        """Return what lies under a key, or None; the hash is the object's tag."""
        async with bounded(self._bucket, self._patience(0)):
            try:
                # The tags first: unlike HEAD, their answer tells a missing bucket from a missing key.
                tagging = await self._client.get_object_tagging(Bucket=self._bucket, Key=key)
                head = await self._client.head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if code_of(error) in {"NoSuchKey", "404"}:
                    return None
                raise
        tags = {tag["Key"]: tag["Value"] for tag in tagging["TagSet"]}
        return Stored(key=key, sha256=tags.get("sha256", ""), size=head["ContentLength"])

    async def sizes(self, keys: Collection[str]) -> dict[str, int]:
        """Return the bytes of those objects that are there, by key.

        Lists each folder once, from the first of its keys to the last: a thousand objects a request, those of others in between too.
        """
        folders: defaultdict[str, set[str]] = defaultdict(set)
        for key in keys:
            folders[key.rpartition("/")[0]].add(key)
        found: dict[str, int] = {}
        for folder, wanted in folders.items():
            last = max(wanted)
            # `StartAfter` leaves out its own key: what is shorter comes before.
            start = min(wanted)[:-1]
            with faults(self._bucket):
                pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{folder}/", StartAfter=start)
                async for page in pages:
                    there = page.get("Contents", ())
                    found |= {each["Key"]: each["Size"] for each in there if each["Key"] in wanted}
                    if there and there[-1]["Key"] >= last:
                        break
        return found

    async def keys(self, prefix: str, after: str = "") -> list[str]:
        """Return the keys that begin so and come after another one, in order."""
        found: list[str] = []
        with faults(self._bucket):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, StartAfter=after)
            async for page in pages:
                found += [each["Key"] for each in page.get("Contents", ())]
        return found

    async def delete_versions(self, keys: Collection[str]) -> Removed:
        """Delete every version of some objects, but for what object lock holds; what is not there counts for nothing."""
        async with bounded(self._bucket, self._patience(0) * (1 + len(keys))):
            return await remove_versions(self._client, self._bucket, keys)

    async def abort_orphans(self, older_than: timedelta) -> int:
        """Abort the uploads that a killed worker left: begun, and last added to, longer ago than `older_than`. Return how many."""
        cutoff = datetime.now(UTC) - older_than
        aborted = 0
        with faults(self._bucket):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket)
            async for page in pages:
                for upload in page.get("Uploads", ()):
                    where = {"Bucket": self._bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
                    if upload["Initiated"] < cutoff and await self._untouched_since(cutoff, where):
                        with _gone_is_fine():
                            await self._client.abort_multipart_upload(**where)
                            aborted += 1
        return aborted

    async def probe(self) -> None:
        """Raise what is wrong with S3 or the bucket."""
        async with bounded(self._bucket, self._patience(0)):
            await self._client.head_bucket(Bucket=self._bucket)

    async def _untouched_since(self, cutoff: datetime, where: Mapping[str, str]) -> bool:
        with _gone_is_fine():
            async for page in self._client.get_paginator("list_parts").paginate(**where):
                if any(part["LastModified"] >= cutoff for part in page.get("Parts", ())):
                    return False
        return True

    async def _put(self, stored: Stored, body: io.BytesIO, crc32: str, options: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        tagging = urlencode({name: tag_value(value) for name, value in tags.items()})
        headers = {"x-amz-checksum-crc32": crc32, "x-amz-tagging": tagging, **_headers(options)}
        if self._direct is not None and await self._direct.put(stored.key, body, stored.sha256, headers, self._patience(stored.size)):
            return
        body.seek(0)
        async with bounded(self._bucket, self._patience(stored.size)):
            await self._client.put_object(
                Bucket=self._bucket, Key=stored.key, Body=body, ContentLength=stored.size, ChecksumCRC32=crc32, Tagging=tagging, **options
            )

    async def _chunks(self, body: Any, size: int) -> AsyncIterator[bytes]:
        got = 0
        pace = Pace(DEPENDENCY, self._settings.s3_timeout_seconds)
        with faults(self._bucket):
            while chunk := await pace.of(body.read(CHUNK)):
                got += len(chunk)
                yield chunk
        if got != size:
            raise TransientError(DEPENDENCY, "the object broke off")

    def _patience(self, size: int) -> float:
        """Return the seconds that a call with a body of so many bytes may take, its second attempt included."""
        seconds = self._settings.s3_timeout_seconds
        return 2 * (min(seconds, _CONNECT_SECONDS) + seconds + size / _SLOWEST_UPLOAD)

    def _options(self, content_type: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        options: dict[str, Any] = {"ContentType": content_type, "Metadata": dict(metadata), "ServerSideEncryption": self._settings.s3_sse}
        if self._settings.s3_sse == "aws:kms":
            options["SSEKMSKeyId"] = self._settings.s3_kms_key_id
        return options


def _headers(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that botocore would make of `ObjectStore._options`."""
    named = {"ContentType": "Content-Type", "ServerSideEncryption": "x-amz-server-side-encryption"}
    named["SSEKMSKeyId"] = "x-amz-server-side-encryption-aws-kms-key-id"
    headers = {header: str(options[name]) for name, header in named.items() if name in options}
    return headers | {f"x-amz-meta-{name}": value for name, value in options["Metadata"].items()}


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    """Pass over an upload that its owner completed or aborted meanwhile."""
    try:
        yield
    except ClientError as error:
        if code_of(error) != "NoSuchUpload":
            raise


def _config(settings: Settings) -> AioConfig:
    secure = (settings.s3_endpoint_url or "https:").startswith("https:")
    s3: dict[str, Any] = {"addressing_style": "path" if settings.s3_endpoint_url or "." in settings.bucket else "virtual"}
    if secure:
        # Each part carries a checksum of ours, and TLS protects it: a second hash for the signature is not needed.
        s3["payload_signing_enabled"] = False
    return AioConfig(
        max_pool_connections=2 * settings.download_in_flight + settings.scoring_in_flight + 8,
        connect_timeout=min(settings.s3_timeout_seconds, _CONNECT_SECONDS),
        read_timeout=settings.s3_timeout_seconds,
        retries={"total_max_attempts": 2, "mode": "standard"},
        tcp_keepalive=True,
        # botocore composes its own anew for every request.
        user_agent="voc-stream",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3=s3,
    )
