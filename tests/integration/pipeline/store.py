"""S3 with a client that knows nothing of ours: what the tests hold the product's claims against."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiobotocore.session import get_session

from voc_stream.settings import Settings


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as S3 gives it; `sha256` is computed from its bytes."""

    size: int
    sha256: str
    etag: str
    encryption: str | None
    metadata: dict[str, str]
    tags: dict[str, str]
    body: bytes


class BucketView:
    """Reads the bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def object(self, key: str) -> StoredObject:
        """Return an object, whole."""
        answer = await self._client.get_object(Bucket=self._bucket, Key=key)
        async with answer["Body"] as stream:
            body = await stream.read()
        tagging = await self._client.get_object_tagging(Bucket=self._bucket, Key=key)
        return StoredObject(
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            etag=answer["ETag"],
            encryption=answer.get("ServerSideEncryption"),
            metadata=answer["Metadata"],
            tags={tag["Key"]: tag["Value"] for tag in tagging["TagSet"]},
            body=body,
        )

    async def versions(self, key: str) -> int:
        """Return how often something was stored under a key."""
        answer = await self._client.list_object_versions(Bucket=self._bucket, Prefix=key)
        return len(answer.get("Versions", []))

    async def open_uploads(self) -> list[str]:
        """Return the keys of multipart uploads that are neither complete nor aborted."""
        answer = await self._client.list_multipart_uploads(Bucket=self._bucket)
        return [upload["Key"] for upload in answer.get("Uploads", [])]


@asynccontextmanager
async def bucket_view(settings: Settings) -> AsyncIterator[BucketView]:
    """Lend a view of the settings' bucket."""
    made = get_session().create_client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=settings.s3_secret_access_key.get_secret_value(),
    )
    async with made as client:
        yield BucketView(client, settings.bucket)
