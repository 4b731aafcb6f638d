"""The recorder's memory: the calls (one entry a segment) that it knows, and what it tells about them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from voc_stream.devstack.recorder.recording import Recording

MAX_CALLS = 200_000
"""The oldest calls beyond this are forgotten, so that an endless run keeps its size."""


@dataclass(frozen=True, slots=True)
class Style:
    """How this record is written down: recorders are not of one mind, nor even one recorder.

    Attributes:
        time: `iso`, `iso_offset` (+01:00), `iso_z` (UTC) or `dmy` (dd/mm/yy HH:MM:SS).
        duration: `seconds` or `hms` (h:m:s).
        end: which of `endedat` and `duration` are told.
        case: of the field names: `lower`, `camel` (startedAt) or `upper`.
    """

    time: Literal["iso", "iso_offset", "iso_z", "dmy"] = "iso"
    duration: Literal["seconds", "hms"] = "seconds"
    end: Literal["both", "endedat", "duration"] = "both"
    case: Literal["lower", "camel", "upper"] = "lower"


@dataclass(slots=True)
class Call:
    """One segment. Times are whole seconds, UTC; `ended_at` None means that nobody has hung up."""

    inum: str
    kind: str
    expected: str
    recording: Recording
    started_at: datetime
    ended_at: datetime | None
    agent: str
    other_party: str
    skill: str
    service: str
    switch_call_id: str
    udfs: str
    style: Style
    late: float = 0.0
    deleted: bool = False
    replays: int = 0

    def over(self, now: datetime) -> bool:
        """Whether the hang-up has come."""
        return self.ended_at is not None and self.ended_at <= now

    def seconds(self) -> int | None:
        """Length by the clock, None while in progress."""
        return None if self.ended_at is None else round((self.ended_at - self.started_at).total_seconds())

    def truth(self) -> dict[str, Any]:
        """What the control API tells: the ground truth, in plain JSON."""
        recording = self.recording
        return {
            "inum": self.inum,
            "switch_call_id": self.switch_call_id,
            "kind": self.kind,
            "expected": self.expected,
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "seconds": round(recording.seconds, 2),
            "agent": self.agent,
            "service": self.service,
            "skill": self.skill,
            "format": recording.format,
            "channels": recording.channels,
            "size": recording.size,
            "sha256": recording.sha256,
            "turns": [asdict(turn) for turn in recording.turns],
            "replays": self.replays,
            "deleted": self.deleted,
        }


class CallLog:
    """All calls by inum, in the order in which they were recorded."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}

    def add(self, call: Call) -> None:
        """Remember a call."""
        self._calls[call.inum] = call
        if len(self._calls) > MAX_CALLS:
            del self._calls[next(iter(self._calls))]

    def get(self, inum: str) -> Call | None:
        """The call of an inum."""
        return self._calls.get(inum)

    def clear(self) -> None:
        """Forget every call."""
        self._calls.clear()

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls.values())
