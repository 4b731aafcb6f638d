"""Each thing that is set of a bucket: how it is read, set and compared. Nothing that is set differently is ever replaced."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from voc_stream import bucket_rules as rules
from voc_stream.settings import Settings

_NOT_SET = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)

Compare = Callable[[str, Any, Any], list[str]]


def differs(name: str, expected: Any, found: Any) -> list[str]:
    """Return a sentence if they are not the same."""
    return [] if expected == found else [f"{name} is {found or 'not set'}, expected {expected or 'none'}"]


def _named(key: str) -> Compare:
    """Return a comparison of lists of what has names: each of ours, and what is not ours."""

    def compare(name: str, expected: list[dict[str, Any]], found: list[dict[str, Any]] | None) -> list[str]:
        there = {str(each.get(key)): each for each in found or ()}
        wanted = {each[key]: each for each in expected}
        problems = [problem for each, value in wanted.items() for problem in differs(f"{name} {each}", value, there.get(each))]
        return problems + [f"{name} {each} is not ours" for each in sorted(there.keys() - wanted.keys())]

    return compare


@dataclass(frozen=True, slots=True)
class Aspect:
    """One thing that is set of a bucket.

    Attributes:
        name: as a person reads it.
        expected: its value; None: not set.
        read: returns the value that it has, or None.
        write: sets what is expected.
        compare: returns how what is found differs.
    """

    name: str
    expected: Any
    read: Callable[[], Awaitable[Any]]
    write: Callable[[], Awaitable[Any]]
    compare: Compare = differs

    async def problems(self) -> list[str]:
        """Return how it differs."""
        return self.compare(self.name, self.expected, await self.read())

    async def set_if_missing(self) -> bool:
        """Set it where nothing is set; return whether it was."""
        if self.expected is None or await self.read() is not None:
            return False
        await self.write()
        return True


def of_recordings(client: Any, settings: Settings, *, policy: bool) -> list[Aspect]:
    """Return what is set of the bucket of recordings, in the order in which it is set.

    Args:
        client: of S3.
        settings: S3_*.
        policy: whether its policy is among it.
    """
    bucket = settings.bucket
    log, lock, told = rules.logging(settings), rules.lock(settings), rules.notifications(settings)
    return [
        *_protection(client, bucket, rules.encryption(settings), rules.lifecycle()),
        Aspect(
            "versioning",
            "Enabled",
            _reader(client.get_bucket_versioning, bucket, "Status"),
            partial(client.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        ),
        *([_policy(client, bucket, rules.policy(bucket, settings.s3_sse))] if policy else []),
        Aspect(
            "object lock",
            lock,
            _reader(client.get_object_lock_configuration, bucket, "ObjectLockConfiguration"),
            partial(client.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=lock),
            _compare_lock,
        ),
        Aspect(
            "access logs",
            log,
            _reader(client.get_bucket_logging, bucket, "LoggingEnabled"),
            partial(client.put_bucket_logging, Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": log}),
        ),
        Aspect(
            "notifications",
            told,
            _notifications(client, bucket),
            partial(client.put_bucket_notification_configuration, Bucket=bucket, NotificationConfiguration=told),
        ),
    ]


def of_logs(client: Any, settings: Settings, *, policy: bool) -> list[Aspect]:
    """Return what is set of the bucket of access logs; it takes S3's own keys only, and no versions."""
    bucket = settings.s3_log_bucket
    wanted = rules.log_policy(bucket, settings.bucket)
    if not policy:
        wanted["Statement"] = [each for each in wanted["Statement"] if each["Effect"] == "Allow"]
    return [*_protection(client, bucket, {"SSEAlgorithm": "AES256"}, rules.log_lifecycle()), _policy(client, bucket, wanted)]


def _protection(client: Any, bucket: str, encryption: dict[str, str], lifecycle: list[dict[str, Any]]) -> list[Aspect]:
    default = {"ApplyServerSideEncryptionByDefault": encryption, "BucketKeyEnabled": encryption["SSEAlgorithm"] == "aws:kms"}
    return [
        Aspect(
            "public access block",
            rules.BLOCKED,
            _reader(client.get_public_access_block, bucket, "PublicAccessBlockConfiguration"),
            partial(client.put_public_access_block, Bucket=bucket, PublicAccessBlockConfiguration=rules.BLOCKED),
        ),
        Aspect(
            "default encryption",
            encryption,
            _reader(client.get_bucket_encryption, bucket, "ServerSideEncryptionConfiguration", "Rules", 0, "ApplyServerSideEncryptionByDefault"),
            partial(client.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [default]}),
        ),
        Aspect(
            "lifecycle rule",
            lifecycle,
            _reader(client.get_bucket_lifecycle_configuration, bucket, "Rules"),
            partial(client.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration={"Rules": lifecycle}),
            _named("ID"),
        ),
    ]


def _policy(client: Any, bucket: str, wanted: dict[str, Any]) -> Aspect:
    async def read() -> list[dict[str, Any]] | None:
        text = await _reader(client.get_bucket_policy, bucket, "Policy")()
        statements: list[dict[str, Any]] | None = json.loads(text)["Statement"] if text else None
        return statements

    write = partial(client.put_bucket_policy, Bucket=bucket, Policy=json.dumps(wanted))
    return Aspect("policy statement", wanted["Statement"], read, write, _named("Sid"))


def _notifications(client: Any, bucket: str) -> Callable[[], Awaitable[Any]]:
    async def read() -> dict[str, Any] | None:
        answer = await client.get_bucket_notification_configuration(Bucket=bucket)
        found = {key: value for key, value in answer.items() if key == "EventBridgeConfiguration" or (key != "ResponseMetadata" and value)}
        for each in found.get("QueueConfigurations", ()):
            for rule in each.get("Filter", {}).get("Key", {}).get("FilterRules", ()):
                rule["Name"] = rule["Name"].lower()  # S3 tells "Prefix" of what was set as "prefix"
        return found or None

    return read


def _compare_lock(name: str, expected: Any, found: Any) -> list[str]:
    rule = (found or {}).get("Rule", {}).get("DefaultRetention")
    if rule is None:  # a bucket that could lock and does not by itself is as good as one without
        return differs(name, expected, found if expected else None)
    retention = {key: value for key, value in rule.items() if value}
    return differs(name, expected, {**found, "Rule": {"DefaultRetention": retention}})


def _reader(method: Callable[..., Awaitable[Any]], bucket: str, *path: str | int) -> Callable[[], Awaitable[Any]]:
    async def read() -> Any:
        try:
            value = await method(Bucket=bucket)
            for step in path:
                value = value[step]
        except (KeyError, IndexError):
            return None
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NOT_SET:
                return None
            raise
        return value

    return read
