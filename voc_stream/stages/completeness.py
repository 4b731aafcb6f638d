"""The completeness ledger: of each tenant and hour one equation a hop, and by name what does not add up (docs/completeness.md). Pure.

What is on the left of an equation comes out as one of the terms on its right, or as a gap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from voc_stream.events.calls import UNASSIGNED
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


Verdict: TypeAlias = "str | Gap | None"
"""A term, a gap, or nothing: it is not on the left of this equation."""

DONE = frozenset({Status.SCORED, Status.NOT_SCORABLE})
_COPIED = DONE | {Status.DOWNLOADED}
_WAITING = "on its way"
_FORGOTTEN = "forgotten"
_LETTERS = "dead letters"


def equations(hour: datetime, traces: Iterable[Trace], known: Known) -> list[Equation]:
    """Return the equations of an hour's calls, those of each tenant and hop that has any."""
    made: dict[tuple[str, Hop], Equation] = {}
    for trace in traces:
        for hop, judge in _JUDGES:
            for verdict in judge(trace, known):
                if verdict is None:
                    continue
                equation = made.setdefault((trace.tenant_id, hop), Equation(hour, trace.tenant_id, hop))
                equation.add(verdict, left=0 if _is_extra(trace, hop) else 1)
    return [made[key] for key in sorted(made)]


def merged(parts: Iterable[Equation]) -> list[Equation]:
    """Return the equations of a whole hour, made of those of its parts."""
    made: dict[tuple[datetime, str, Hop], Equation] = {}
    for part in parts:
        made.setdefault((part.hour, part.tenant_id, part.hop), Equation(part.hour, part.tenant_id, part.hop)).take(part)
    order = list(Hop)
    return sorted(made.values(), key=lambda each: (each.hour, each.tenant_id, order.index(each.hop)))


def _is_extra(trace: Trace, hop: Hop) -> bool:
    return (hop is Hop.POLL and not trace.at_recorder) or (hop is Hop.ENRICH and trace.raw is None)


def _gap(trace: Trace, hop: Hop, what: str, remedy: Remedy | None = None) -> Gap:
    return Gap(hop, trace.tenant_id, trace.call_id, what, remedy, trace.started_at)


def _poll(trace: Trace, known: Known) -> Iterator[Verdict]:
    names = known.names
    if not trace.at_recorder:
        if trace.raw is not None:
            yield _gap(trace, Hop.POLL, f"{names.raw} has it, but the recorder does not know it")
    elif trace.raw is not None:
        yield names.raw
    elif names.polled in trace.letters:
        yield _LETTERS
    elif not known.raw_kept and trace.row is not None:
        yield f"rows ({names.raw} does not keep the hour)"
    elif trace.row is not None:
        yield _gap(trace, Hop.POLL, f"its record is gone from {names.raw}{_remembered(trace, known)}; its row is there")
    else:
        # Dedup knows a call whose record was there once: it would not let it pass again.
        again = Remedy.POLL if trace.was_at is None else Remedy.ENRICH
        yield _gap(trace, Hop.POLL, f"the recorder knows it, {names.raw} does not{_remembered(trace, known)}", again)


def _remembered(trace: Trace, known: Known) -> str:
    if trace.was_at is None:
        return ""
    partition, offset = trace.was_at
    begins = known.raw_begins.get(partition)
    return f" (it was at [{partition}] {offset}" + (f", which begins at {begins} now)" if begins is not None and begins > offset else ")")


def _enrich(trace: Trace, known: Known) -> Iterator[Verdict]:
    raw = known.names.raw
    if trace.raw is None:
        if trace.row is not None and known.raw_kept and not trace.at_recorder:
            yield _gap(trace, Hop.ENRICH, f"it has a row, but neither the recorder nor {raw} knows it")
    elif trace.row is not None:
        yield "rows"
    elif raw in trace.letters:
        yield _LETTERS
    elif trace.raw.offset >= known.committed.get(trace.raw.partition, 0):
        yield _WAITING
    elif trace.events and trace.ended_at < known.now - known.dedup:
        yield _gap(trace, Hop.ENRICH, "it has no row; done again now, its event would be stored twice (DEDUP_WINDOW_SECONDS)")
    else:
        yield Gap(Hop.ENRICH, trace.tenant_id, trace.call_id, "it has no row in call", Remedy.ENRICH, trace.started_at, trace.raw, raw)


def _status(trace: Trace, known: Known) -> Iterator[Verdict]:
    row = trace.row
    if row is None:
        return
    pending = {Status.PENDING_DOWNLOAD: known.names.enriched, Status.DOWNLOADED: known.names.ready}.get(row.status)
    if pending is None:
        yield row.status.lower().replace("_", " ")
    elif row.parked or not known.is_passed(pending, row.updated_at):
        yield "pending"
    else:
        yield _gap(trace, Hop.STATUS, f"it is {row.status}, and {pending} has nothing more of it", Remedy.ONWARD)


def _download(trace: Trace, _known: Known) -> Iterator[Verdict]:
    row = trace.row
    if row is None or (row.s3_key is None and row.status not in _COPIED):
        return
    if row.s3_key is None:
        yield _gap(trace, Hop.DOWNLOAD, f"it is {row.status}, but audio_asset has no recording of it", Remedy.COPY)
    elif trace.stored_size is None:
        yield _gap(trace, Hop.DOWNLOAD, f"S3 has no {row.s3_key}", Remedy.COPY)
    elif trace.stored_size != row.size:
        yield _gap(trace, Hop.DOWNLOAD, f"{row.s3_key} has {trace.stored_size} bytes instead of {row.size}", Remedy.COPY)
    else:
        yield "objects"


def _export(trace: Trace, known: Known) -> Iterator[Verdict]:
    row = trace.row
    if row is None:
        return
    if not row.results and row.status in DONE:
        yield _gap(trace, Hop.EXPORT, f"it is {row.status}, but scoring_result has nothing of it", Remedy.SCORE)
    for result in row.results:
        if result.model_version in trace.exported:
            yield "rows"
        elif row.status is Status.ERROR and result.exported_at is None:
            yield _LETTERS
        elif result.exported_at is None and not known.is_passed(known.names.results, max(result.scored_at, row.updated_at)):
            yield _WAITING
        elif known.forgotten(trace.tenant_id, row.customer_ref, result.scored_at):
            yield _FORGOTTEN
        else:
            yield _brought_back(trace, Hop.EXPORT, f"call_scores has no row of it by {result.model_version}", Remedy.EXPORT, known)


def _event(trace: Trace, known: Known) -> Iterator[Verdict]:
    row, name = trace.row, known.names.events
    if row is None or trace.tenant_id == UNASSIGNED or not any(result.words for result in row.results):
        return
    told = [result.exported_at for result in row.results if result.words and result.exported_at is not None]
    kept_since = known.kept_since(trace.tenant_id)
    if trace.events == 1:
        yield "events"
    elif trace.events > 1:
        yield _gap(trace, Hop.EVENT, f"voc_events has its event {trace.events} times")
    elif not told or not known.is_passed(name, min(told)):
        yield _WAITING
    elif name in trace.letters:
        yield _LETTERS
    elif kept_since is not None and trace.ended_at < kept_since:
        yield "past their retention"
    elif known.forgotten(trace.tenant_id, row.customer_ref, min(told)):
        yield _FORGOTTEN
    else:
        yield _brought_back(trace, Hop.EVENT, "voc_events has no event of it", Remedy.TELL, known)


def _brought_back(trace: Trace, hop: Hop, what: str, remedy: Remedy, known: Known) -> Gap:
    if known.maybe_forgotten(trace.tenant_id, trace.started_at):
        return _gap(trace, hop, f"{what}; a customer of this tenant was forgotten since, so it is not brought back")
    return _gap(trace, hop, what, remedy)


_JUDGES: tuple[tuple[Hop, Callable[[Trace, Known], Iterator[Verdict]]], ...] = (
    (Hop.POLL, _poll),
    (Hop.ENRICH, _enrich),
    (Hop.STATUS, _status),
    (Hop.DOWNLOAD, _download),
    (Hop.EXPORT, _export),
    (Hop.EVENT, _event),
)
