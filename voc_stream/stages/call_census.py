"""What became of calls: of each hop a term of its equation, or a gap with what can be done about it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeAlias

from voc_stream.events.calls import UNASSIGNED
from voc_stream.stages.changes import Status
from voc_stream.stages.completeness import Equation, Gap, Hop, Known, Remedy, Trace

Verdict: TypeAlias = "str | Gap | None"
"""A term, a gap, or nothing: it is not on the left of this equation."""

_DONE = frozenset({Status.SCORED, Status.NOT_SCORABLE})
_COPIED = _DONE | {Status.DOWNLOADED}
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
    if not row.results and row.status in _DONE:
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
