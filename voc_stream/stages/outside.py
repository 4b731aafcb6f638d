"""What the outside told us: plain data that the clients return and the stages judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A recorded segment, read from the recorder's search result (spec section 2.1).

    Times carry the recorder's offset at that moment; `ended_at` is None while the segment is in progress. Texts are cut to the lengths that
    `calls.raw` allows. `udfs` and `other_parties` are personal data and stay out of `repr`.
    """

    inum: str
    started_at: datetime
    ended_at: datetime | None
    raw_agent: str = ""
    other_parties: str = field(default="", repr=False)
    skill: str = ""
    service: str = ""
    switch_call_id: str = ""
    udfs: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRecord:
    """A record of a search result that cannot be read: its inum where it has one, a sentence why, and its XML (which holds personal data)."""

    inum: str
    reason: str
    xml: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found; `capped` when it is as long as the recorder's cap, so that calls may be missing from its end."""

    segments: tuple[Segment, ...] = ()
    rejects: tuple[BadRecord, ...] = ()
    capped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object in S3; `sha256` is the hex digest of its bytes ("" for an object that somebody else put there), `size` its bytes."""

    key: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFacts:
    """What a recording is. `duration` is what the stream held, in seconds, never what its header promised. No bytes at all: codec "" and zeros."""

    codec: str
    duration: float
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A recording that went from the recorder into S3. `facts` is None where it is not audio that we know; `problem` then says why."""

    key: str
    sha256: str
    size: int
    facts: AudioFacts | None
    problem: str | None
