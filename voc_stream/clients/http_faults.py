"""How faults of an HTTP dependency become the errors of `voc_stream.errors` (spec section 2, retries)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from voc_stream.errors import OutageError, OutsideError, RejectedError, ThrottledError, TimedOutError, TransientError, UnavailableError

# What a call of aiohttp may raise for a fault of the other side or of the way to it.
HTTP_FAULTS = (aiohttp.ClientError, TimeoutError, OSError)

_REJECTED = frozenset({400, 404, 413, 415, 422})
_THROTTLED = frozenset({401, 403, 408, 429})
_LONGEST_WAIT = 3600.0


def connection_fault(dependency: str, error: Exception) -> OutsideError:
    """Return the error for an exception of aiohttp. A connect time-out counts as an outage: nobody answers there. The reason names no address."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return OutageError(dependency, "no connection within the time-out")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return OutageError(dependency, "its host name cannot be resolved")
    if isinstance(error, aiohttp.ClientSSLError):
        return OutageError(dependency, "no TLS connection can be made")
    if isinstance(error, aiohttp.ClientConnectorError):
        return OutageError(dependency, "connection refused")
    if isinstance(error, TimeoutError):
        return TimedOutError(dependency, "no answer within the time-out")
    return TransientError(dependency, f"the connection broke off ({type(error).__name__})")


def status_fault(dependency: str, response: aiohttp.ClientResponse, detail: str = "") -> OutsideError:
    """Return the error for an answer that is not a success.

    Args:
        dependency: its name.
        response: the answer; only its status and Retry-After are read.
        detail: a sentence of the dependency's own, which goes into the reason of a rejection.
    """
    return item_fault(dependency, response.status, detail, retry_after(response.headers.get("Retry-After")))


def item_fault(dependency: str, status: int, detail: str = "", wait: float | None = None) -> OutsideError:
    """Return the error for a status, told by an answer or, for one item, inside of it; `wait` is its Retry-After in seconds."""
    reason = f"it answered {status}"
    if status in _REJECTED:
        return RejectedError(dependency, f"{reason}: {detail}" if detail else reason)
    if status in _THROTTLED or (status == 503 and wait is not None):
        return ThrottledError(dependency, reason, retry_after=wait)
    if 300 <= status < 400:
        return ThrottledError(dependency, f"{reason}, a redirect, which is never followed; is its URL right?")
    kind = UnavailableError if status == 503 else TransientError
    return kind(dependency, reason, retry_after=wait)


def retry_after(value: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as seconds or as an HTTP date; at most an hour; None where it cannot be read."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((aware - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_WAIT)
