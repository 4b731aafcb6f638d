"""How faults of S3 become the errors of `voc_stream.errors` (spec section 2, retries)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
)

from voc_stream.errors import OutageError, OutsideError, RejectedError, ThrottledError, TransientError

DEPENDENCY = "s3"

# Codes that say more than their status: of the 400s, these are about us or about this attempt.
_ABOUT_US = frozenset({"ExpiredToken", "InvalidToken", "RequestTimeTooSkewed", "AccessDenied", "AllAccessDisabled"})
_THIS_ATTEMPT = frozenset({"RequestTimeout", "BadDigest", "IncompleteBody", "InvalidPart", "InvalidPartOrder", "NoSuchUpload", "SlowDown"})
_UNREACHABLE = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError, SSLError)


@contextmanager
def faults(bucket: str) -> Iterator[None]:
    """Turn what botocore and aiohttp raise inside into `OutsideError`; reasons name codes, never keys, addresses or credentials."""
    try:
        yield
    except ClientError as error:
        raise _answer_fault(error, bucket) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise OutageError(DEPENDENCY, "there are no credentials for it") from error
    except _UNREACHABLE as error:
        raise OutageError(DEPENDENCY, "it cannot be reached") from error
    except (BotoCoreError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise TransientError(DEPENDENCY, f"the connection failed ({type(error).__name__})") from error


@asynccontextmanager
async def bounded(bucket: str, seconds: float) -> AsyncIterator[None]:
    """As `faults`, for calls that end within so many seconds: botocore's own time-outs are of silence, which a trickle never is."""
    with faults(bucket):
        async with asyncio.timeout(seconds):
            yield


def code_of(error: ClientError) -> str:
    """Return S3's error code: a word, or the status where an answer has no body (HEAD)."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _answer_fault(error: ClientError, bucket: str) -> OutsideError:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    reason = f"it answered {status} {code}".rstrip()
    if code == "NoSuchBucket" or (code == "404" and error.operation_name == "HeadBucket"):
        return OutageError(DEPENDENCY, f"there is no bucket {bucket}; `faust -A voc_stream bucket` makes it")
    if code in _THIS_ATTEMPT or status >= 500:
        return TransientError(DEPENDENCY, reason)
    if code in _ABOUT_US or code.startswith("KMS.") or status in {401, 403, 408, 429}:
        return ThrottledError(DEPENDENCY, reason)
    if status in {400, 404, 413, 415, 422}:
        return RejectedError(DEPENDENCY, reason)
    return TransientError(DEPENDENCY, reason)
