"""Objects outlive an orderly stop of the store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aiobotocore.session import get_session

from voc_stream.devstack.stack import Stack

_PART = b"a" * (5 << 20)


def _client(stack: Stack) -> Any:
    endpoints = stack.endpoints
    return get_session().create_client(
        "s3",
        endpoint_url=endpoints["S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=endpoints["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=endpoints["S3_SECRET_ACCESS_KEY"],
    )


async def _upload(s3: Any) -> None:
    await s3.create_bucket(Bucket="kept")
    await s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    key = {"Bucket": "kept", "Key": "raw/call.wav"}
    upload = await s3.create_multipart_upload(**key, ServerSideEncryption="AES256", Metadata={"codec": "pcm"})
    parts = []
    for number, body in enumerate((_PART, b"end"), start=1):
        part = await s3.upload_part(**key, UploadId=upload["UploadId"], PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    await s3.complete_multipart_upload(**key, UploadId=upload["UploadId"], MultipartUpload={"Parts": parts})
    await s3.put_object_tagging(**key, Tagging={"TagSet": [{"Key": "sha256", "Value": "ab"}]})


async def test_objects_with_tags_metadata_and_encryption_outlive_a_stop_of_the_store(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "stack", parts=("s3",), any_ports=True)
    with stack:
        await _check(stack)


async def _check(stack: Stack) -> None:
    async with _client(stack) as s3:
        await _upload(s3)
        before = await s3.head_object(Bucket="kept", Key="raw/call.wav")
    await asyncio.to_thread(stack.restart_part, "s3")
    async with _client(stack) as s3:
        found = await s3.get_object(Bucket="kept", Key="raw/call.wav")
        assert await found["Body"].read() == _PART + b"end"
        assert (found["Metadata"], found["ServerSideEncryption"], found["ETag"]) == ({"codec": "pcm"}, "AES256", before["ETag"])
        assert found["VersionId"] == before["VersionId"]
        tags = await s3.get_object_tagging(Bucket="kept", Key="raw/call.wav")
        assert tags["TagSet"] == [{"Key": "sha256", "Value": "ab"}]
        assert (await s3.get_bucket_versioning(Bucket="kept"))["Status"] == "Enabled"
