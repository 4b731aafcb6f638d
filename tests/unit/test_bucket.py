"""The bucket's rules (spec section 9)."""

from __future__ import annotations

import json

import pytest

from voc_stream.bucket_aspects import differs
from voc_stream.bucket_rules import encryption, lifecycle, lock, log_policy, logging, notifications, policy
from voc_stream.settings import SettingsError, load_settings


def test_objects_live_as_long_as_the_specification_says() -> None:
    rules = {rule["ID"]: rule for rule in lifecycle()}
    assert rules["raw"]["Transitions"] == [{"Days": 90, "StorageClass": "GLACIER"}]
    assert rules["raw"]["Expiration"] == {"Days": 365}
    assert rules["processed"]["Transitions"] == [{"Days": 180, "StorageClass": "DEEP_ARCHIVE"}]
    assert rules["transcripts"]["Expiration"] == {"Days": 365}
    assert rules["interrupted-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert [rules[name]["Filter"]["Prefix"] for name in ("raw", "processed", "transcripts")] == ["raw/", "processed/", "transcripts/"]


def test_the_policy_denies_plain_http_and_unencrypted_objects() -> None:
    statements = {statement["Sid"]: statement for statement in policy("ccas-audio-prod", "aws:kms")["Statement"]}
    assert {statement["Effect"] for statement in statements.values()} == {"Deny"}
    assert statements["TlsOnly"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statements["EncryptedOnly"]["Condition"] == {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
    assert "arn:aws:s3:::ccas-audio-prod/*" in json.dumps(statements)


def test_default_encryption_is_what_the_settings_ask_for() -> None:
    assert encryption(load_settings()) == {"SSEAlgorithm": "AES256"}
    kms = load_settings(s3_sse="aws:kms", s3_kms_key_id="alias/recordings")
    assert encryption(kms) == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/recordings"}


def test_access_logs_a_lock_and_events_are_there_when_they_are_asked_for() -> None:
    assert [rule(load_settings()) for rule in (lock, logging, notifications)] == [None, None, None]
    queue = "arn:aws:sqs:eu-west-1:123456789012:recordings"
    asked = load_settings(s3_bucket="calls", s3_log_bucket="logs", s3_object_lock_days=30, s3_events=queue)
    assert lock(asked) == {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}}
    assert logging(asked) == {"TargetBucket": "logs", "TargetPrefix": "calls/"}
    told = notifications(asked)
    assert told is not None
    assert told["QueueConfigurations"][0]["QueueArn"] == queue
    assert told["QueueConfigurations"][0]["Filter"]["Key"]["FilterRules"] == [{"Name": "prefix", "Value": "raw/"}]
    assert notifications(load_settings(s3_events="eventbridge")) == {"EventBridgeConfiguration": {}}


def test_only_s3_itself_may_write_logs_and_only_of_this_bucket() -> None:
    statements = {statement["Sid"]: statement for statement in log_policy("logs", "calls")["Statement"]}
    assert statements["LogDelivery"]["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert statements["LogDelivery"]["Resource"] == "arn:aws:s3:::logs/calls/*"
    assert statements["LogDelivery"]["Condition"] == {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::calls"}}
    assert statements["TlsOnly"]["Effect"] == "Deny"


def test_a_difference_says_what_is_there_and_what_should_be() -> None:
    assert differs("versioning", "Enabled", "Suspended") == ["versioning is Suspended, expected Enabled"]
    assert differs("access logs", None, {"TargetBucket": "x"}) == ["access logs is {'TargetBucket': 'x'}, expected none"]
    assert differs("access logs", {"TargetBucket": "x"}, None) == ["access logs is not set, expected {'TargetBucket': 'x'}"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"s3_bucket": "a", "s3_log_bucket": "a"}, "S3_LOG_BUCKET must be another bucket"),
        ({"s3_events": "arn:aws:sns:eu-west-1:123456789012:x"}, "S3_EVENTS"),
        ({"s3_object_lock_days": 366}, "S3_OBJECT_LOCK_DAYS"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(**given)
