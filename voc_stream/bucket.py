"""`faust -A voc_stream bucket`: make the bucket of recordings and transcripts (spec section 9), or say where it differs.

A bucket that is there is never altered: what differs is for a person to decide.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from voc_stream.errors import OutageError, OutsideError, RejectedError
from voc_stream.settings import Settings

NAME = "s3"

_NOT_SET = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)
_ALREADY_OURS = "BucketAlreadyOwnedByYou"

_BLOCKED = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


async def run(settings: Settings, echo: Callable[[str], None]) -> int:
    """Create the bucket with its protection, or compare the one that is there.

    Args:
        settings: S3_*, APP_ENV.
        echo: takes each line of the report.

    Returns:
        0: as expected; 1: something differs; 2: S3 cannot be reached or refuses.
    """
    try:
        async with _client(settings) as client:
            created = await _create(client, settings)
            if created:
                await _protect(client, settings)
            problems = await _differences(client, settings, policy_expected=not _emulated(settings))
            if created and _emulated(settings):
                problems += await _policy_round_trip(client, settings)
    except OutsideError as error:
        echo(str(error))
        return 2
    for problem in problems:
        echo(f"{settings.bucket}: {problem}")
    state = "created" if created else "there"
    echo(f"bucket {settings.bucket}: {state}, " + (f"{len(problems)} differences (nothing altered)" if problems else "as expected"))
    return 1 if problems else 0


def policy(bucket: str, sse: str) -> dict[str, Any]:
    """Return the bucket's policy: TLS only, and no object without the encryption that S3_SSE asks for."""
    arn = f"arn:aws:s3:::{bucket}"
    deny = {"Effect": "Deny", "Principal": "*"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {**deny, "Sid": "TlsOnly", "Action": "s3:*", "Resource": [arn, f"{arn}/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            {
                **deny,
                "Sid": "EncryptedOnly",
                "Action": "s3:PutObject",
                "Resource": f"{arn}/*",
                "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": sse}},
            },
        ],
    }


def lifecycle() -> list[dict[str, Any]]:
    """Return how long each kind of object lives: raw 90 days, then Glacier, gone after 365; processed to Deep Archive after 180; transcripts 365."""
    return [
        _rule("raw", "raw/", Transitions=[{"Days": 90, "StorageClass": "GLACIER"}], Expiration={"Days": 365}),
        _rule("processed", "processed/", Transitions=[{"Days": 180, "StorageClass": "DEEP_ARCHIVE"}]),
        _rule("transcripts", "transcripts/", Expiration={"Days": 365}),
        # The bucket is versioned: without this what expired would be kept, and paid for, for ever.
        _rule("old-versions", "", NoncurrentVersionExpiration={"NoncurrentDays": 30}),
        _rule("interrupted-uploads", "", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}),
    ]


def encryption(settings: Settings) -> dict[str, str]:
    """Return the encryption of objects that do not ask for one themselves."""
    key = {"KMSMasterKeyID": settings.s3_kms_key_id} if settings.s3_sse == "aws:kms" else {}
    return {"SSEAlgorithm": settings.s3_sse, **key}


def _rule(name: str, prefix: str, **actions: Any) -> dict[str, Any]:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}, **actions}


def _emulated(settings: Settings) -> bool:
    """Whether this is the dev stack's S3: it ignores a policy's conditions, so that ours would lock everybody out."""
    return settings.app_env == "dev" and settings.s3_endpoint_url is not None


async def _create(client: Any, settings: Settings) -> bool:
    """Create the bucket; return False if it was there."""
    where = {} if settings.s3_region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": settings.s3_region}}
    if await _exists(client, settings.bucket):
        return False
    try:
        await client.create_bucket(Bucket=settings.bucket, **where)
    except ClientError as error:
        if _code(error) == _ALREADY_OURS:  # another one was faster
            return False
        raise
    return True


async def _exists(client: Any, bucket: str) -> bool:
    try:
        await client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if _code(error) in {"404", "NoSuchBucket"}:
            return False
        raise
    return True


async def _protect(client: Any, settings: Settings) -> None:
    bucket = settings.bucket
    await client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=_BLOCKED)
    default = {"ApplyServerSideEncryptionByDefault": encryption(settings), "BucketKeyEnabled": settings.s3_sse == "aws:kms"}
    await client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [default]})
    await client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    await client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": lifecycle()})
    if not _emulated(settings):
        await client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket, settings.s3_sse)))


async def _differences(client: Any, settings: Settings, *, policy_expected: bool) -> list[str]:
    bucket = settings.bucket
    blocked = await _setting(client.get_public_access_block(Bucket=bucket))
    encrypted = await _setting(client.get_bucket_encryption(Bucket=bucket))
    versioning = await _setting(client.get_bucket_versioning(Bucket=bucket))
    rules = await _setting(client.get_bucket_lifecycle_configuration(Bucket=bucket))
    default = encrypted.get("ServerSideEncryptionConfiguration", {}).get("Rules", [{}])[0].get("ApplyServerSideEncryptionByDefault", {})
    problems = _compare("public access block", _BLOCKED, blocked.get("PublicAccessBlockConfiguration", {}))
    problems += _compare("default encryption", encryption(settings), default)
    problems += _compare("versioning", "Enabled", versioning.get("Status", "off"))
    problems += _compare_rules({rule["ID"]: rule for rule in rules.get("Rules", [])})
    if policy_expected:
        found = await _setting(client.get_bucket_policy(Bucket=bucket))
        problems += _compare("policy", policy(bucket, settings.s3_sse), json.loads(found.get("Policy", "{}")))
    return problems


async def _policy_round_trip(client: Any, settings: Settings) -> list[str]:
    """Set the policy, read it back, and remove it: the dev stack's S3 enforces it without its conditions."""
    wanted = policy(settings.bucket, settings.s3_sse)
    await client.put_bucket_policy(Bucket=settings.bucket, Policy=json.dumps(wanted))
    try:
        found = await client.get_bucket_policy(Bucket=settings.bucket)
    finally:
        await client.delete_bucket_policy(Bucket=settings.bucket)
    return _compare("policy", wanted, json.loads(found["Policy"]))


def _compare(what: str, expected: Any, found: Any) -> list[str]:
    return [] if expected == found else [f"{what} is {found or 'not set'}, expected {expected}"]


def _compare_rules(found: dict[str, dict[str, Any]]) -> list[str]:
    expected = {rule["ID"]: rule for rule in lifecycle()}
    problems = [problem for name, rule in expected.items() for problem in _compare(f"lifecycle rule {name}", rule, found.get(name))]
    return problems + [f"lifecycle rule {name} is not ours" for name in sorted(found.keys() - expected.keys())]


async def _setting(answer: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    try:
        return await answer
    except ClientError as error:
        if _code(error) in _NOT_SET:
            return {}
        raise


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@asynccontextmanager
async def _client(settings: Settings) -> AsyncIterator[Any]:
    config = AioConfig(connect_timeout=10, read_timeout=settings.s3_timeout_seconds, retries={"max_attempts": 2}, s3={"addressing_style": "auto"})
    options = {
        "endpoint_url": settings.s3_endpoint_url,
        "region_name": settings.s3_region,
        "aws_access_key_id": settings.s3_access_key_id or None,
        "aws_secret_access_key": settings.s3_secret_access_key.get_secret_value() or None,
    }
    try:
        async with get_session().create_client("s3", config=config, **options) as client:
            yield client
    except ClientError as error:
        raise RejectedError(NAME, f"{error.operation_name} of {settings.bucket} refused ({_code(error)})") from error
    except (BotoCoreError, OSError) as error:
        raise OutageError(NAME, f"cannot be reached ({type(error).__name__})") from error
