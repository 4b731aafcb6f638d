"""How often a stage tries again, and when it gives up (spec section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from voc_stream.errors import OutsideError, RejectedError
from voc_stream.stages.outcome import DeadLetter, Retry


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Attempts and the pauses between them.

    Args:
        attempts: how often a record is tried in all.
        base: seconds before the second attempt; doubled for each further one.
        jitter: share of a pause that is random, 0 to 1, so that records which failed together do not return together.
        cap: the longest pause in seconds.
    """

    attempts: int
    base: float = 1.0
    jitter: float = 0.0
    cap: float = 30.0

    def delay(self, attempt: int, chance: float) -> float:
        """Return the seconds to wait after a failed attempt (counted from 1); `chance` is a random number from 0 to 1."""
        full = min(self.base * 2.0 ** min(attempt - 1, 60), self.cap)
        return full * (1 - self.jitter * chance)

    def after(self, error: OutsideError, attempt: int, chance: float) -> Retry | DeadLetter:
        """Decide what a failed attempt leads to: another one, not before the dependency allows it, or a dead letter with its reason."""
        if isinstance(error, RejectedError):
            return DeadLetter(error_type="rejected", reason=str(error))
        if attempt < self.attempts:
            return Retry(reason=str(error), delay=max(self.delay(attempt, chance), error.retry_after or 0.0))
        return DeadLetter(error_type="attempts_exhausted", reason=f"{error} (after {attempt} attempts)", dependency=error.dependency)
