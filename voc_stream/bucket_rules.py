"""What the bucket of recordings and transcripts must be like (spec section 9), and the bucket of its access logs. Values as S3's API says them."""

from __future__ import annotations

from typing import Any

from voc_stream.settings import Settings

BLOCKED = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
LOG_DAYS = 365

_DENY = {"Effect": "Deny", "Principal": "*"}


def policy(bucket: str, sse: str) -> dict[str, Any]:
    """Return the bucket's policy: TLS only, and no object without the encryption that S3_SSE asks for."""
    encrypted = {
        **_DENY,
        "Sid": "EncryptedOnly",
        "Action": "s3:PutObject",
        "Resource": f"{_arn(bucket)}/*",
        "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": sse}},
    }
    return {"Version": "2012-10-17", "Statement": [_tls_only(bucket), encrypted]}


def log_policy(log_bucket: str, bucket: str) -> dict[str, Any]:
    """Return the log bucket's policy: TLS only, and S3's log delivery may write what it tells of `bucket`."""
    delivery = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Sid": "LogDelivery",
        "Action": "s3:PutObject",
        "Resource": f"{_arn(log_bucket)}/{bucket}/*",
        "Condition": {"ArnLike": {"aws:SourceArn": _arn(bucket)}},
    }
    return {"Version": "2012-10-17", "Statement": [_tls_only(log_bucket), delivery]}


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


def log_lifecycle() -> list[dict[str, Any]]:
    """Return how long access logs live."""
    return [_rule("logs", "", Expiration={"Days": LOG_DAYS})]


def encryption(settings: Settings) -> dict[str, str]:
    """Return the encryption of objects that do not ask for one themselves."""
    key = {"KMSMasterKeyID": settings.s3_kms_key_id} if settings.s3_sse == "aws:kms" else {}
    return {"SSEAlgorithm": settings.s3_sse, **key}


def lock(settings: Settings) -> dict[str, Any] | None:
    """Return for how long no version can be deleted, or None where S3_OBJECT_LOCK_DAYS is 0."""
    if not settings.s3_object_lock_days:
        return None
    retention = {"Mode": settings.s3_object_lock_mode, "Days": settings.s3_object_lock_days}
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}


def logging(settings: Settings) -> dict[str, str] | None:
    """Return where access logs go, or None where S3_LOG_BUCKET is empty."""
    return {"TargetBucket": settings.s3_log_bucket, "TargetPrefix": f"{settings.bucket}/"} if settings.s3_log_bucket else None


def notifications(settings: Settings) -> dict[str, Any] | None:
    """Return who is told that a recording was stored or replaced, or None where S3_EVENTS is empty."""
    if settings.s3_events == "eventbridge":
        return {"EventBridgeConfiguration": {}}
    if not settings.s3_events:
        return None
    prefix = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "raw/"}]}}
    queue = {"Id": "recordings", "QueueArn": settings.s3_events, "Events": ["s3:ObjectCreated:*"], "Filter": prefix}
    return {"QueueConfigurations": [queue]}


def _arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


def _tls_only(bucket: str) -> dict[str, Any]:
    where = [_arn(bucket), f"{_arn(bucket)}/*"]
    return {**_DENY, "Sid": "TlsOnly", "Action": "s3:*", "Resource": where, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}


def _rule(name: str, prefix: str, **actions: Any) -> dict[str, Any]:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}, **actions}
