"""`faust -A voc_stream bucket`: make the bucket of recordings and transcripts and that of its access logs (spec section 9), or say where they differ.

A bucket that is there is left alone; `--apply` sets what is not set of it. What is set differently is listed, and for a person to decide.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import click
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from voc_stream.bucket_aspects import Aspect, of_logs, of_recordings
from voc_stream.errors import OutageError, OutsideError, RejectedError
from voc_stream.settings import Settings

NAME = "s3"
OPTIONS = (click.option("--apply", is_flag=True, help="Of buckets that are there, set what is not set; nothing is replaced."),)

_ALREADY_OURS = "BucketAlreadyOwnedByYou"

Echo = Callable[[str], None]


async def run(settings: Settings, echo: Echo, *, apply: bool = False) -> int:
    """Create the buckets with their protection, or compare those that are there.

    Args:
        settings: S3_*, APP_ENV.
        echo: takes each line of the report.
        apply: of buckets that are there, set what is not set.

    Returns:
        0: as expected; 1: something differs; 2: S3 cannot be reached or refuses.
    """
    # The dev stack's S3 ignores a policy's conditions, so that ours would lock everybody out.
    policy = not _emulated(settings)
    try:
        async with _client(settings) as client:
            code = 0
            if settings.s3_log_bucket:
                code = await _ensure(client, settings, settings.s3_log_bucket, of_logs(client, settings, policy=policy), echo, apply=apply)
            elif settings.app_env != "dev":
                echo(f"{settings.bucket}: nobody logs who reads it: S3_LOG_BUCKET is not set")
            aspects = of_recordings(client, settings, policy=policy)
            code |= await _ensure(client, settings, settings.bucket, aspects, echo, apply=apply, lock=bool(settings.s3_object_lock_days))
            return code
    except OutsideError as error:
        echo(str(error))
        return 2


async def _ensure(client: Any, settings: Settings, bucket: str, aspects: list[Aspect], echo: Echo, *, apply: bool, lock: bool = False) -> int:
    created = await _create(client, settings, bucket, lock=lock)
    if created or apply:
        for aspect in aspects:
            # What a new bucket has by itself (encryption, a lock without a time) is S3's choice and not ours.
            if created and aspect.expected is not None:
                await aspect.write()
            elif not created and await aspect.set_if_missing():
                echo(f"{bucket}: {aspect.name} set")
    problems = [problem for aspect in aspects for problem in await aspect.problems()]
    if created and bucket == settings.bucket and _emulated(settings):
        problems += await _policy_round_trip(client, settings)
    for problem in problems:
        echo(f"{bucket}: {problem}")
    state = "created" if created else "there"
    echo(
        f"bucket {bucket}: {state}, "
        + (f"{len(problems)} differences ({'nothing replaced' if apply else 'nothing altered'})" if problems else "as expected")
    )
    return 1 if problems else 0


def _emulated(settings: Settings) -> bool:
    """Whether this is the dev stack's S3."""
    return settings.app_env == "dev" and settings.s3_endpoint_url is not None


async def _create(client: Any, settings: Settings, bucket: str, *, lock: bool) -> bool:
    """Create the bucket; return False if it was there."""
    where: dict[str, Any] = {} if settings.s3_region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": settings.s3_region}}
    if await _exists(client, bucket):
        return False
    try:
        await client.create_bucket(Bucket=bucket, **where, **({"ObjectLockEnabledForBucket": True} if lock else {}))
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


async def _policy_round_trip(client: Any, settings: Settings) -> list[str]:
    """Set the policy, read it back, and remove it: the dev stack's S3 enforces it without its conditions."""
    aspect = next(each for each in of_recordings(client, settings, policy=True) if each.name == "policy statement")
    await aspect.write()
    try:
        return await aspect.problems()
    finally:
        await client.delete_bucket_policy(Bucket=settings.bucket)


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
