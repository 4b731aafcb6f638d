"""The bucket's rules (spec section 9)."""

from __future__ import annotations

import json

from voc_stream.bucket import encryption, lifecycle, policy
from voc_stream.settings import load_settings


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
