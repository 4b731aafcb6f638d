"""What can go wrong with the outside, told by what to do about it (spec section 2, retries).

    OutsideError
    ├── OutageError         the dependency is down: the stage pauses, lag grows, nothing is dead-lettered
    ├── ThrottledError      the dependency asks us to wait (401, 403, 408, 429, Retry-After): the stage pauses; it is about us, not about the record
    ├── TransientError      this attempt failed (5xx, time-out, broken stream): try again, a bounded number of times
    │   ├── UnavailableError  503: for this record or for every one; the neighbours tell
    │   └── TimedOutError     no answer in time: it may have too much to do
    │       └── BusyError     a store and a statement of bounded size: it does have, whatever the record; an outage, though a probe passes
    ├── RejectedError       this record can never pass (400, 404, 413, 415, 422): dead letter at once
    └── NotThereYetError    the recording is not there yet: park the call

Clients raise these and nothing else for faults of the outside; anything else is a bug of ours and ends the worker.
"""

from __future__ import annotations


class OutsideError(Exception):
    """A fault of a dependency.

    Args:
        dependency: its name as in metrics and `/readyz`: recorder, scorer, s3, postgres, clickhouse, kafka.
        reason: one plain sentence without payload, secret or URL credentials.
        retry_after: seconds the dependency asked us to wait, where it did.
    """

    def __init__(self, dependency: str, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{dependency}: {reason}")
        self.dependency = dependency
        self.reason = reason
        self.retry_after = retry_after


class OutageError(OutsideError):
    """The dependency cannot be reached or answers nobody."""


class ThrottledError(OutsideError):
    """The dependency refuses us for now, whatever the record."""


class TransientError(OutsideError):
    """This attempt failed; the next may pass."""


class UnavailableError(TransientError):
    """The dependency says that it cannot serve now."""


class TimedOutError(TransientError):
    """The dependency did not answer in time."""


class BusyError(TimedOutError):
    """A store did not carry out a statement of bounded size in time: it has too much to do, whatever the record."""


class RejectedError(OutsideError):
    """The dependency will never accept this record."""


class NotThereYetError(OutsideError):
    """The recording does not exist yet (or never will)."""
