"""Retry-After, as it comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from voc_stream.clients.http_faults import retry_after


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
