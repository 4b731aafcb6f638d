"""`faust -A voc_stream bucket` on the stack's S3: created, then verified, then differences reported."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiobotocore.session import get_session

from voc_stream import bucket
from voc_stream.settings import Settings


@pytest.fixture
async def own(settings: Settings) -> Settings:
    return settings.model_copy(update={"s3_bucket": f"test-{uuid.uuid4().hex}"})


@pytest.fixture
async def s3(own: Settings) -> AsyncIterator[Any]:
    """A client; the bucket is removed at the end."""
    async with get_session().create_client(
        "s3",
        endpoint_url=own.s3_endpoint_url,
        region_name=own.s3_region,
        aws_access_key_id=own.s3_access_key_id,
        aws_secret_access_key=own.s3_secret_access_key.get_secret_value(),
    ) as client:
        yield client
        for version in (await client.list_object_versions(Bucket=own.bucket)).get("Versions", []):
            await client.delete_object(Bucket=own.bucket, Key=version["Key"], VersionId=version["VersionId"])
        await client.delete_bucket(Bucket=own.bucket)


async def test_created_then_verified_then_differences_are_reported_and_not_healed(own: Settings, s3: Any) -> None:
    said: list[str] = []
    assert await bucket.run(own, said.append) == 0
    assert await bucket.run(own, said.append) == 0
    assert said == [f"bucket {own.bucket}: created, as expected", f"bucket {own.bucket}: there, as expected"]

    await s3.put_bucket_versioning(Bucket=own.bucket, VersioningConfiguration={"Status": "Suspended"})
    await s3.delete_public_access_block(Bucket=own.bucket)
    await s3.delete_bucket_lifecycle(Bucket=own.bucket)
    for _run in range(2):
        said.clear()
        assert await bucket.run(own, said.append) == 1
        assert [line.partition(" is ")[0].removeprefix(f"{own.bucket}: ") for line in said[:-1]] == [
            "public access block",
            "versioning",
            *(f"lifecycle rule {rule['ID']}" for rule in bucket.lifecycle()),
        ]
        assert said[-1].endswith("differences (nothing altered)")


async def test_objects_can_be_put_and_are_encrypted_without_asking(own: Settings, s3: Any) -> None:
    assert await bucket.run(own, lambda _line: None) == 0
    await s3.put_object(Bucket=own.bucket, Key="raw/a", Body=b"x")
    head = await s3.head_object(Bucket=own.bucket, Key="raw/a")
    assert head["ServerSideEncryption"] == "AES256"


async def test_an_s3_that_is_down_is_one_line(own: Settings) -> None:
    said: list[str] = []
    assert await bucket.run(own.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:1"}), said.append) == 2
    assert said == ["s3: cannot be reached (EndpointConnectionError)"]
