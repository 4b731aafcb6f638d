"""What S3 answers, and what is to be done about it."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from voc_stream.clients.s3_faults import faults
from voc_stream.errors import OutageError, OutsideError, RejectedError, ThrottledError, TransientError

URL = "https://key:secret@s3.example"


def answer(code: str, status: int, operation: str = "PutObject") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "about raw/701.wav"}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (answer("NoSuchKey", 404), RejectedError),
        (answer("404", 404, "HeadObject"), RejectedError),
        (answer("NoSuchBucket", 404), OutageError),
        (answer("404", 404, "HeadBucket"), OutageError),
        (answer("NoSuchUpload", 404), TransientError),
        (answer("AccessDenied", 403), ThrottledError),
        (answer("InvalidAccessKeyId", 403), ThrottledError),
        (answer("Unauthorized", 401), ThrottledError),
        (answer("ExpiredToken", 400), ThrottledError),
        (answer("KMS.DisabledException", 400), ThrottledError),
        (answer("RequestTimeout", 400), TransientError),
        (answer("BadDigest", 400), TransientError),
        (answer("EntityTooLarge", 400), RejectedError),
        (answer("SlowDown", 503), TransientError),
        (answer("ServiceUnavailable", 503), TransientError),
        (answer("InternalError", 500), TransientError),
        (answer("InternalError", 200), TransientError),
        (EndpointConnectionError(endpoint_url=URL), OutageError),
        (ConnectTimeoutError(endpoint_url=URL), OutageError),
        (NoCredentialsError(), OutageError),
        (ReadTimeoutError(endpoint_url=URL), TransientError),
        (ConnectionClosedError(endpoint_url=URL), TransientError),
        (BotoCoreError(), TransientError),
        (TimeoutError(), TransientError),
        (ConnectionResetError(), TransientError),
    ],
)
def test_a_fault_says_what_to_do_and_names_no_key_and_no_address(raised: Exception, kind: type[OutsideError]) -> None:
    with pytest.raises(OutsideError) as caught, faults("calls"):
        raise raised
    assert type(caught.value) is kind
    assert caught.value.dependency == "s3"
    assert not any(word in str(caught.value) for word in ("701", "secret", "example"))


def test_a_bug_of_ours_stays_one() -> None:
    with pytest.raises(KeyError), faults("calls"):
        raise KeyError
