"""`faust -A voc_stream bucket` on the stack's S3: created, then verified, then differences reported."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiobotocore.session import get_session

from voc_stream import bucket, bucket_rules
from voc_stream.bucket_aspects import of_recordings
from voc_stream.settings import Settings

QUEUE = "arn:aws:sqs:us-east-1:123456789012:recordings"


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
        for name in (own.bucket, f"{own.bucket}-logs"):
            with contextlib.suppress(client.exceptions.NoSuchBucket):
                for version in (await client.list_object_versions(Bucket=name)).get("Versions", []):
                    await client.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
                await client.delete_bucket(Bucket=name)


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
            *(f"lifecycle rule {rule['ID']}" for rule in bucket_rules.lifecycle()),
            "versioning",
        ]
        assert said[-1].endswith("differences (nothing altered)")


def whole(own: Settings) -> Settings:
    """All that may be asked for."""
    return own.model_copy(update={"s3_log_bucket": f"{own.bucket}-logs", "s3_object_lock_days": 1, "s3_events": QUEUE})


async def test_access_logs_a_lock_and_events_are_set_with_the_bucket_and_verified(own: Settings, s3: Any) -> None:
    said: list[str] = []
    for state in ("created", "there"):
        said.clear()
        assert await bucket.run(whole(own), said.append) == 0, said
        assert said == [f"bucket {own.bucket}-logs: {state}, as expected", f"bucket {own.bucket}: {state}, as expected"]
    logs = (await s3.get_bucket_logging(Bucket=own.bucket))["LoggingEnabled"]
    assert (logs["TargetBucket"], logs["TargetPrefix"]) == (f"{own.bucket}-logs", f"{own.bucket}/")

    said.clear()
    assert await bucket.run(own, said.append) == 1, "what is there and nobody asked for is a difference, too"
    assert [line.partition(" is ")[0].removeprefix(f"{own.bucket}: ") for line in said[:-1]] == ["object lock", "access logs", "notifications"]


async def test_what_is_missing_is_set_when_asked_and_what_is_set_differently_stays(own: Settings, s3: Any) -> None:
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "raw/"}, "Expiration": {"Days": 7}}
    await s3.create_bucket(Bucket=own.bucket)
    await s3.put_bucket_lifecycle_configuration(Bucket=own.bucket, LifecycleConfiguration={"Rules": [theirs]})

    said: list[str] = []
    assert await bucket.run(own.model_copy(update={"s3_events": QUEUE}), said.append, apply=True) == 1

    set_now = [f"{own.bucket}: {name} set" for name in ("public access block", "default encryption", "versioning", "notifications")]
    assert [line for line in said if line.endswith(" set") and "expected" not in line] == set_now
    assert f"{own.bucket}: lifecycle rule theirs is not ours" in said
    assert said[-1].endswith("differences (nothing replaced)")
    assert (await s3.get_bucket_lifecycle_configuration(Bucket=own.bucket))["Rules"][0]["ID"] == "theirs"
    assert (await s3.get_bucket_versioning(Bucket=own.bucket))["Status"] == "Enabled"


async def test_a_weaker_policy_is_named_statement_by_statement_and_left_alone(own: Settings, s3: Any) -> None:
    assert await bucket.run(own, lambda _line: None) == 0
    weaker = bucket_rules.policy(own.bucket, own.s3_sse)
    weaker["Statement"][1] = {"Sid": "Anybody", "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{own.bucket}/*"}
    aspect = next(each for each in of_recordings(s3, own, policy=True) if each.name == "policy statement")
    await s3.put_bucket_policy(Bucket=own.bucket, Policy=json.dumps(weaker))
    try:
        assert not await aspect.set_if_missing()
        problems = await aspect.problems()
    finally:
        await s3.delete_bucket_policy(Bucket=own.bucket)
    assert [problem.partition(", expected")[0] for problem in problems] == [
        "policy statement EncryptedOnly is not set",
        "policy statement Anybody is not ours",
    ]


async def test_objects_can_be_put_and_are_encrypted_without_asking(own: Settings, s3: Any) -> None:
    assert await bucket.run(own, lambda _line: None) == 0
    await s3.put_object(Bucket=own.bucket, Key="raw/a", Body=b"x")
    head = await s3.head_object(Bucket=own.bucket, Key="raw/a")
    assert head["ServerSideEncryption"] == "AES256"


async def test_an_s3_that_is_down_is_one_line(own: Settings) -> None:
    said: list[str] = []
    assert await bucket.run(own.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:1"}), said.append) == 2
    assert said == ["s3: cannot be reached (EndpointConnectionError)"]
