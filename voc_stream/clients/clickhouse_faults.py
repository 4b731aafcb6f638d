"""ClickHouse's errors in our own terms (voc_stream.errors)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError

from voc_stream.errors import BusyError, OutageError, OutsideError, RejectedError

NAME = "clickhouse"

# Codes that speak of the server or its schema, not of our rows.
_OUTAGES = {
    16: "a column is missing; run: faust -A voc_stream migrate",
    36: "refuses a setting or argument",
    47: "a column is missing; run: faust -A voc_stream migrate",
    60: "a table is missing; run: faust -A voc_stream migrate",
    81: "the database is missing; run: faust -A voc_stream migrate",
    115: "does not know a setting",
    164: "is read-only for our user",
    192: "does not know our user",
    193: "refuses our password",
    194: "wants a password",
    202: "has too many queries at once",
    210: "lost its network",
    225: "has no keeper",
    236: "aborted",
    241: "is out of memory",
    242: "table is read-only",
    243: "is out of disk space",
    252: "has too many parts, or the insert touches too many partitions",
    279: "lost its connections",
    285: "has too few live replicas",
    319: "does not know whether the insert passed",
    497: "denies our user a right that it needs",
    516: "refuses our user or password",
    469: "takes no events while sums are exchanged",
    999: "lost its keeper",
}
_BUSY = {159: "query took too long", 160: "query took too long", 209: "socket timed out", 394: "query was cancelled", 425: "system error"}
# The rows themselves can never be stored: type, size, parse.
_REJECTED = frozenset({6, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 407, 441})
_CODE = re.compile(r"[Cc]ode:? (\d+)")


@contextmanager
def translated() -> Iterator[None]:
    """Raise our own errors in place of the driver's."""
    try:
        yield
    except (ClickHouseError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise outside_error(error) from error


def outside_error(error: Exception) -> OutsideError:
    """Say what to do about a failure of the driver or of the network; the reason never quotes a value.

    Returns:
        OutageError (down, full, not migrated), BusyError (took too long) or RejectedError (these rows can never be stored).
    """
    if isinstance(error, TimeoutError):
        return BusyError(NAME, "no answer in time")
    found = _CODE.search(str(error))
    if isinstance(error, DataError) and found is None:
        return RejectedError(NAME, "a value does not fit its column")
    if not isinstance(error, ClickHouseError) or found is None:
        return OutageError(NAME, f"cannot be reached ({type(error).__name__})")
    code = int(found[1])
    if code in _BUSY:
        return BusyError(NAME, f"{_BUSY[code]} (code {code})")
    if code in _REJECTED:
        return RejectedError(NAME, f"does not accept the rows (code {code})")
    # What we do not know is rather about the server than about one row: it becomes lag, not a dead letter.
    return OutageError(NAME, f"{_OUTAGES.get(code, 'refuses')} (code {code})")
