"""The completeness ledger: of each tenant and hour one equation a hop, and by name what does not add up (docs/completeness.md). Pure.

What is on the left of an equation comes out as one of the terms on its right, or as a gap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from voc_stream.stages.changes import Status

# So many gaps of an equation are named, the others are counted.
MOST_NAMED = 1000
# Whose gap it is where nobody can tell.
NOBODY = "*"


class Hop(StrEnum):
    """The equations, in the order in which a call passes them."""

    POLL = "poll"
    ENRICH = "enrich"
    STATUS = "status"
    DOWNLOAD = "download"
    EXPORT = "export"
    EVENT = "event"
    STORE = "store"


# What each equation says: its left side, and what makes up its right side.
MEANING: Mapping[Hop, str] = {
    Hop.POLL: "the recorder's calls = calls.raw",
    Hop.ENRICH: "calls.raw = rows in call",
    Hop.STATUS: "rows in call = scored + not scorable + missing + error + pending",
    Hop.DOWNLOAD: "downloaded = objects in S3",
    Hop.EXPORT: "results = rows in call_scores",
    Hop.EVENT: "results with words = call events in voc_events",
    Hop.STORE: "customer events in Kafka = stored + duplicates + dead letters",
}


class Remedy(StrEnum):
    """How a gap is closed."""

    POLL = "poll again"
    ENRICH = "enrich again"
    ONWARD = "publish again"
    COPY = "download again"
    SCORE = "score again"
    EXPORT = "export again"
    TELL = "send the event again"
    STORE = "store again"


class Coordinates(NamedTuple):
    """Where a record lies in its topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is missing, or too much.

    Attributes:
        subject: a call_id, or offsets of a topic.
        what: a sentence for a person.
        remedy: how it can be closed; None where it cannot.
        at: when the call started, or when Kafka got the record.
        where: the record to do it again from, where there is one.
        topic: that record's.
    """

    hop: Hop
    tenant_id: str
    subject: str
    what: str
    remedy: Remedy | None
    at: datetime
    where: Coordinates | None = None
    topic: str = ""


@dataclass(slots=True)
class Equation:
    """One hop of a tenant in an hour.

    Attributes:
        left: how many should come out.
        terms: what came out, by kind.
        gaps: what does not add up, up to a bound by name.
        gap_count: all of them.
    """

    hour: datetime
    tenant_id: str
    hop: Hop
    left: int = 0
    terms: Counter[str] = field(default_factory=Counter)
    gaps: list[Gap] = field(default_factory=list)
    gap_count: int = 0

    def add(self, verdict: str | Gap, *, left: int = 1) -> None:
        """Count one that is on the left (or, `left` 0, only on the right)."""
        self.left += left
        if isinstance(verdict, str):
            self.terms[verdict] += 1
            return
        self.gap_count += 1
        if len(self.gaps) < MOST_NAMED:
            self.gaps.append(verdict)

    def take(self, other: Equation) -> None:
        """Add what another part of the hour came to."""
        self.left += other.left
        self.terms += other.terms
        self.gap_count += other.gap_count
        self.gaps += other.gaps[: MOST_NAMED - len(self.gaps)]


@dataclass(frozen=True, slots=True)
class Result:
    """A row of `scoring_result`.

    Attributes:
        words: whether it has a transcript, which becomes a customer event.
    """

    model_version: str
    scored_at: datetime
    exported_at: datetime | None
    words: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `call`, with what hangs on it.

    Attributes:
        s3_key: of its recording; None without a READY row in `audio_asset`.
        size: bytes of the recording.
    """

    status: Status
    customer_ref: str
    updated_at: datetime
    parked: bool
    s3_key: str | None
    size: int | None
    results: tuple[Result, ...] = ()


@dataclass(slots=True)
class Trace:
    """One call, and every place that knows of it.

    Attributes:
        raw: its record in `calls.raw`.
        was_at: where that record was, as the timeline tells.
        letters: the topics whose records of this call are dead letters.
        stored_size: bytes of the object in S3; None where there is none.
        exported: model versions of its rows in `call_scores`.
        events: how often `voc_events` has its event.
    """

    call_id: str
    tenant_id: str
    started_at: datetime
    ended_at: datetime
    at_recorder: bool = False
    raw: Coordinates | None = None
    was_at: Coordinates | None = None
    row: Row | None = None
    letters: frozenset[str] = frozenset()
    stored_size: int | None = None
    exported: frozenset[str] = frozenset()
    events: int = 0


@dataclass(frozen=True, slots=True)
class Forget:
    """Somebody deleted a tenant's events (customer_ref None), or those of one customer, on purpose."""

    tenant_id: str
    customer_ref: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The topics by the names that they have."""

    polled: str = "calls.polled"
    raw: str = "calls.raw"
    enriched: str = "calls.enriched"
    ready: str = "audio.ready"
    results: str = "scoring.results"
    events: str = "voc.calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What must be known to tell a gap from what is on its way, or is gone on purpose.

    Attributes:
        now: the time, aware.
        settle: how long after its cause an effect may still be under way.
        passed: topic → up to which time of writing its records were done with when the hour began to be examined.
        committed: of `calls.raw`, by partition: where the group stood then.
        raw_kept: whether `calls.raw` still keeps the hour.
        raw_begins: by partition: its first record.
        forgets: what was deleted on purpose.
        kept_since: tenant → events before this time are past their retention, None where none are.
        dedup: for how long a second copy of an event is known as one.
    """

    now: datetime
    settle: timedelta
    passed: Mapping[str, datetime]
    committed: Mapping[int, int]
    raw_kept: bool = True
    raw_begins: Mapping[int, int] = field(default_factory=dict)
    forgets: Sequence[Forget] = ()
    kept_since: Callable[[str], datetime | None] = lambda _tenant: None
    dedup: timedelta = timedelta(days=1)
    names: Names = field(default_factory=Names)

    def is_passed(self, topic: str, caused_at: datetime) -> bool:
        """Whether whatever this cause wrote to a topic was done with."""
        return caused_at + self.settle < self.passed[topic]

    def forgotten(self, tenant_id: str, customer_ref: str, since: datetime) -> bool:
        """Whether what was stored since then was deleted on purpose."""
        return any(f.tenant_id == tenant_id and f.at > since and f.customer_ref in {None, customer_ref} for f in self.forgets)

    def maybe_forgotten(self, tenant_id: str, since: datetime) -> bool:
        """Whether something of the tenant was deleted on purpose since then: nothing of it may be brought back unasked."""
        return any(f.tenant_id == tenant_id and f.at > since for f in self.forgets)


def merged(parts: Iterable[Equation]) -> list[Equation]:
    """Return the equations of a whole hour, made of those of its parts."""
    made: dict[tuple[datetime, str, Hop], Equation] = {}
    for part in parts:
        made.setdefault((part.hour, part.tenant_id, part.hop), Equation(part.hour, part.tenant_id, part.hop)).take(part)
    order = list(Hop)
    return sorted(made.values(), key=lambda each: (each.hour, each.tenant_id, order.index(each.hop)))
