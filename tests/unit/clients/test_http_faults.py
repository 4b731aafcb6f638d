"""Retry-After, as it comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from voc_stream.clients.http_faults import item_fault, retry_after
from voc_stream.errors import OutsideError, RejectedError, ThrottledError, TransientError, UnavailableError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), ("7", 7.0), (" 0 ", 0.0), ("999999999999999", 3600.0), ("-5", None), ("soon", None), ("", None), ("²", None)],
)
def test_seconds_are_read_and_bounded(text: str | None, seconds: float | None) -> None:
    assert retry_after(text) == seconds


def test_a_date_is_read_as_the_time_until_then() -> None:
    now = datetime.now(UTC)
    wait = retry_after(format_datetime(now + timedelta(minutes=10), usegmt=True))
    assert wait is not None
    assert 0 < wait <= 600
    assert retry_after(format_datetime(now - timedelta(minutes=10), usegmt=True)) == 0
    assert retry_after(format_datetime(now + timedelta(days=10))) == 3600


@pytest.mark.parametrize(
    ("status", "wait", "kind"),
    [
        (500, None, TransientError),
        (502, 7.0, TransientError),
        (503, None, UnavailableError),
        (503, 7.0, ThrottledError),
        (400, None, RejectedError),
        (404, None, RejectedError),
        (413, None, RejectedError),
        (422, None, RejectedError),
        (401, None, ThrottledError),
        (408, None, ThrottledError),
        (429, 7.0, ThrottledError),
        (302, None, ThrottledError),
    ],
)
def test_a_status_says_whether_it_is_about_the_record_the_attempt_or_everybody(status: int, wait: float | None, kind: type[OutsideError]) -> None:
    fault = item_fault("recorder", status, wait=wait)
    assert type(fault) is kind
    assert fault.retry_after == (None if kind is RejectedError else wait)
