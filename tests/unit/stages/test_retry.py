"""How often a stage tries again (spec section 2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.errors import RejectedError, TransientError
from voc_stream.stages.outcome import DeadLetter, Retry
from voc_stream.stages.retry import RetryPolicy


def test_pauses_double_up_to_the_cap() -> None:
    policy = RetryPolicy(attempts=9, cap=30.0)

    assert [policy.delay(attempt, 0.5) for attempt in range(1, 8)] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_a_pause_is_never_longer_than_the_cap_nor_shorter_than_its_jitter_allows(attempt: int, jitter: float, chance: float) -> None:
    policy = RetryPolicy(attempts=3, jitter=jitter)
    full = RetryPolicy(attempts=3).delay(attempt, 0.0)

    assert full * (1 - jitter) <= policy.delay(attempt, chance) <= full <= 30.0


@pytest.mark.parametrize("attempts", [1, 3, 5])
def test_a_record_has_as_many_attempts_as_the_policy_says(attempts: int) -> None:
    policy = RetryPolicy(attempts=attempts)
    verdicts = [policy.after(TransientError("s3", "time-out"), attempt, 0.0) for attempt in range(1, attempts + 1)]

    assert [type(verdict) for verdict in verdicts] == [Retry] * (attempts - 1) + [DeadLetter]


def test_the_last_attempt_names_the_dependency_that_may_be_down() -> None:
    verdict = RetryPolicy(attempts=1).after(TransientError("s3", "time-out"), 1, 0.0)

    assert verdict == DeadLetter("attempts_exhausted", "s3: time-out (after 1 attempts)", dependency="s3")


def test_what_is_refused_is_not_tried_again_and_nobody_else_is_to_blame() -> None:
    assert RetryPolicy(attempts=5).after(RejectedError("s3", "404"), 1, 0.0) == DeadLetter("rejected", "s3: 404")


def test_a_dependency_that_says_how_long_to_wait_is_not_asked_before() -> None:
    policy = RetryPolicy(attempts=5)

    assert policy.after(TransientError("s3", "500", retry_after=12.0), 1, 0.0) == Retry("s3: 500", 12.0)
    assert policy.after(TransientError("s3", "500", retry_after=0.2), 3, 0.0) == Retry("s3: 500", 4.0)
