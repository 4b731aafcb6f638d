"""One multipart upload that leaves no parts behind, however it ends (spec section 2.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from voc_stream.clients.s3_faults import DEPENDENCY, bounded
from voc_stream.clients.s3_parts import Parts
from voc_stream.errors import OutsideError, RejectedError

log = structlog.get_logger(__name__)

_MOST_PARTS = 10_000


class MultipartUpload:
    """Sends parts as one object.

    Args:
        client: the S3 client.
        bucket: the object's bucket.
        key: the object's key.
        cleanups: where the tasks that abort an upload are kept until they end, so that its owner can await them.
        patience: of the size of a body, how many seconds a call with it may take.
    """

    def __init__(self, client: Any, bucket: str, key: str, cleanups: set[asyncio.Task[None]], patience: Callable[[int], float]) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._cleanups = cleanups
        self._patience = patience

    async def send(self, parts: Parts, options: Mapping[str, Any]) -> None:
        """Create the upload, send the part in the buffer and all that follow, and complete it.

        Whatever comes between, a cancellation too, aborts it.

        Args:
            parts: the stream; its first part is in the buffer.
            options: what `create_multipart_upload` is to be told of the object.
        """
        creation = asyncio.ensure_future(self._create(options))
        try:
            # Shielded: a creation that is cancelled half-way may leave an upload whose id nobody knows.
            upload_id = await asyncio.shield(creation)
            await self._send_all(upload_id, parts)
        except BaseException:
            cleanup = asyncio.ensure_future(self._abort(creation))
            self._cleanups.add(cleanup)
            cleanup.add_done_callback(self._cleanups.discard)
            await asyncio.shield(cleanup)
            raise

    async def _create(self, options: Mapping[str, Any]) -> str:
        async with bounded(self._bucket, self._patience(0)):
            created = await self._client.create_multipart_upload(Bucket=self._bucket, Key=self._key, ChecksumAlgorithm="CRC32", **options)
        upload_id: str = created["UploadId"]
        return upload_id

    async def _send_all(self, upload_id: str, parts: Parts) -> None:
        sent: list[dict[str, Any]] = []
        more = True
        while parts.filled:
            sent.append(await self._send_part(upload_id, len(sent) + 1, parts))
            if not more:
                break
            more = await parts.fill()
        async with bounded(self._bucket, self._patience(0)):
            await self._client.complete_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=upload_id, MultipartUpload={"Parts": sent})

    async def _send_part(self, upload_id: str, number: int, parts: Parts) -> dict[str, Any]:
        if number > _MOST_PARTS:
            raise RejectedError(DEPENDENCY, f"it is longer than {_MOST_PARTS} parts of S3_PART_BYTES")
        async with bounded(self._bucket, self._patience(parts.filled)):
            answer = await self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=upload_id,
                PartNumber=number,
                Body=parts.buffer,
                ContentLength=parts.filled,
                ChecksumCRC32=parts.checksum,
            )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": parts.checksum}

    async def _abort(self, creation: asyncio.Future[str]) -> None:
        try:
            upload_id = await creation
        except OutsideError:
            return
        try:
            async with bounded(self._bucket, self._patience(0)):
                await self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=upload_id)
        except OutsideError as error:
            # What stays is found by abort_orphans and by the bucket's lifecycle; the fault that led here is the one to tell.
            log.warning("upload_not_aborted", s3_key=self._key, reason=error.reason)
