"""What goes wrong on request."""

import itertools
from datetime import datetime
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

FaultKind = Literal["latency", "error", "missing", "stall", "break", "broken_xml", "dtd_bomb", "duplicate", "late", "clock_skew", "chunked"]
Command = Literal["search", "replay"]

_OF_SEARCH = {"broken_xml", "dtd_bomb", "duplicate", "late", "clock_skew"}
_OF_REPLAY = {"missing", "stall", "break"}
_NEEDS_SECONDS = {"latency", "late", "clock_skew"}


class Fault(BaseModel):
    """One way to fail.

    Attributes:
        kind: latency (answer after `seconds`) · error (answer `status`) · missing (404 to replay) · stall (stop sending for `seconds`, or for good,
            after `after_bytes`) · break (close the connection after `after_bytes`) · broken_xml · dtd_bomb · duplicate (each record twice) ·
            late (records show up `seconds` after the hang-up) · clock_skew (the recorder's clock is `seconds` ahead) · chunked (no Content-Length).
        command: which requests; None: both, where both make sense.
        inum: only this recording or record; an `error` or `latency` with an inum is about its replay.
        times: how many requests; None: all.
        until: only before this moment.
        seconds: see `kind`; of a clock_skew, may be negative.
        status: of an error.
        retry_after: seconds, sent with an error as Retry-After.
        after_bytes: of a stall or break, how many bytes of the body go out first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    command: Command | None = None
    inum: str | None = None
    times: int | None = Field(None, ge=1)
    until: AwareDatetime | None = None
    seconds: float | None = None
    status: int = Field(503, ge=400, le=599)
    retry_after: int | None = Field(None, ge=0)
    after_bytes: int = Field(0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _about_the_command_it_can_happen_to(cls, given: object) -> object:
        if not isinstance(given, dict) or given.get("command") is not None:
            return given
        if given.get("kind") in _OF_SEARCH:
            return given | {"command": "search"}
        if given.get("kind") in _OF_REPLAY or given.get("inum") is not None:
            return given | {"command": "replay"}
        return given

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind in _OF_SEARCH and self.command != "search") or (self.kind in _OF_REPLAY and self.command != "replay"):
            msg = f"{self.kind} cannot happen to {self.command}"
            raise ValueError(msg)
        if self.kind in _NEEDS_SECONDS and self.seconds is None:
            msg = f"{self.kind} needs seconds"
            raise ValueError(msg)
        if self.seconds is not None and self.seconds < 0 and self.kind != "clock_skew":
            msg = "seconds must not be negative"
            raise ValueError(msg)
        return self


class Faults:
    """The faults that are set, and how often each will still happen."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._set: dict[int, tuple[Fault, int | None]] = {}

    def add(self, fault: Fault) -> int:
        """Set a fault; the number returned removes it."""
        number = next(self._ids)
        self._set[number] = (fault, fault.times)
        return number

    def remove(self, number: int) -> bool:
        """Whether there was such a fault; it is gone now."""
        return self._set.pop(number, None) is not None

    def clear(self) -> None:
        """Everything works again."""
        self._set.clear()

    def listed(self) -> list[tuple[int, Fault, int | None]]:
        """Number, fault, and how many times are left (None: no end), the oldest first."""
        return [(number, fault, left) for number, (fault, left) in self._set.items()]

    def take(self, kind: FaultKind, command: Command, *, now: datetime, inum: str | None = None) -> Fault | None:
        """The oldest fault of a kind that applies to this request, which uses up one of its times.

        Args:
            kind: of fault.
            command: of the request.
            now: the time of the request.
            inum: the recording asked for; a search asks for none, and meets the faults of single records too.
        """
        for number, (fault, left) in self._set.items():
            if fault.kind != kind or fault.command not in {None, command} or (fault.until is not None and now >= fault.until):
                continue
            if command == "replay" and fault.inum not in {None, inum}:
                continue
            if left is not None:
                self._use_up(number, fault, left)
            return fault
        return None

    def all_of(self, kind: FaultKind, now: datetime) -> list[Fault]:
        """Every standing fault of a kind; for those that are states (late, clock_skew), not events."""
        return [fault for fault, _ in self._set.values() if fault.kind == kind and (fault.until is None or now < fault.until)]

    def _use_up(self, number: int, fault: Fault, left: int) -> None:
        if left == 1:
            del self._set[number]
        else:
            self._set[number] = (fault, left - 1)
