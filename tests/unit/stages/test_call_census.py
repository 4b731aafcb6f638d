"""The equations of the completeness ledger: what is a term, what is a gap, and what can be done about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.stages.call_census import equations
from voc_stream.stages.changes import Status
from voc_stream.stages.completeness import (
    MOST_NAMED,
    Coordinates,
    Equation,
    Forget,
    Gap,
    Hop,
    Known,
    Remedy,
    Result,
    Row,
    Trace,
    merged,
)

HOUR = datetime(2026, 11, 22, 9, tzinfo=UTC)
NOW = HOUR + timedelta(hours=2)
PASSED = dict.fromkeys(("calls.polled", "calls.enriched", "audio.ready", "scoring.results", "voc.calls"), NOW)
KNOWN = Known(now=NOW, settle=timedelta(minutes=10), passed=PASSED, committed={0: 100})
SCORED_AT = HOUR + timedelta(minutes=2)
RESULT = Result("m1", SCORED_AT, SCORED_AT + timedelta(seconds=1), words=True)
UNTOLD = replace(RESULT, exported_at=None)
ROW = Row(Status.SCORED, "ref", SCORED_AT, parked=False, s3_key="raw/1.wav", size=10, results=(RESULT,))


def trace(call_id: str = "1", **differs: Any) -> Trace:
    """A call that every place knows."""
    whole: dict[str, Any] = {
        "call_id": call_id,
        "tenant_id": "acme",
        "started_at": HOUR,
        "ended_at": HOUR + timedelta(minutes=1),
        "at_recorder": True,
        "raw": Coordinates(0, 5),
        "row": ROW,
        "stored_size": 10,
        "exported": frozenset({"m1"}),
        "events": 1,
    }
    return Trace(**(whole | differs))


def gaps_of(*traces: Trace, known: Known = KNOWN) -> dict[Hop, Gap]:
    return {equation.hop: gap for equation in equations(HOUR, traces, known) for gap in equation.gaps}


def terms_of(*traces: Trace, known: Known = KNOWN) -> dict[Hop, dict[str, int]]:
    return {equation.hop: dict(equation.terms) for equation in equations(HOUR, traces, known)}


def test_a_call_that_every_place_knows_is_one_in_every_equation() -> None:
    found = equations(HOUR, [trace()], KNOWN)

    assert [(each.hop, each.left, dict(each.terms), each.gap_count) for each in merged(found)] == [
        (Hop.POLL, 1, {"calls.raw": 1}, 0),
        (Hop.ENRICH, 1, {"rows": 1}, 0),
        (Hop.STATUS, 1, {"scored": 1}, 0),
        (Hop.DOWNLOAD, 1, {"objects": 1}, 0),
        (Hop.EXPORT, 1, {"rows": 1}, 0),
        (Hop.EVENT, 1, {"events": 1}, 0),
    ]


def test_tenants_have_equations_of_their_own() -> None:
    found = equations(HOUR, [trace(), trace("2"), trace("3", tenant_id="globex")], KNOWN)

    assert {(each.tenant_id, each.left) for each in found} == {("acme", 2), ("globex", 1)}


LOST: dict[str, tuple[dict[str, Any], Hop, Remedy | None]] = {
    "missed by the poller": ({"raw": None, "row": None}, Hop.POLL, Remedy.POLL),
    "its record and its row are gone": ({"raw": None, "row": None, "was_at": Coordinates(0, 3)}, Hop.POLL, Remedy.ENRICH),
    "its record is gone": ({"raw": None, "was_at": Coordinates(0, 3)}, Hop.POLL, None),
    "the recorder does not know it": ({"at_recorder": False}, Hop.POLL, None),
    "only its row is there": ({"at_recorder": False, "raw": None}, Hop.ENRICH, None),
    "its row is gone": ({"row": None, "events": 0}, Hop.ENRICH, Remedy.ENRICH),
    "its download was lost": ({"row": replace(ROW, status=Status.PENDING_DOWNLOAD, s3_key=None, results=())}, Hop.STATUS, Remedy.ONWARD),
    "its scoring was lost": ({"row": replace(ROW, status=Status.DOWNLOADED, results=())}, Hop.STATUS, Remedy.ONWARD),
    "its object is gone": ({"stored_size": None}, Hop.DOWNLOAD, Remedy.COPY),
    "its object is another": ({"stored_size": 9}, Hop.DOWNLOAD, Remedy.COPY),
    "its asset is gone": ({"row": replace(ROW, s3_key=None, size=None)}, Hop.DOWNLOAD, Remedy.COPY),
    "its result is gone": ({"row": replace(ROW, results=())}, Hop.EXPORT, Remedy.SCORE),
    "its score is not in ClickHouse": ({"exported": frozenset()}, Hop.EXPORT, Remedy.EXPORT),
    "its event is not in ClickHouse": ({"events": 0}, Hop.EVENT, Remedy.TELL),
    "its event is there twice": ({"events": 2}, Hop.EVENT, None),
}


@pytest.mark.parametrize("what", LOST)
def test_what_is_lost_is_named_at_its_hop_with_what_can_be_done(what: str) -> None:
    differs, hop, remedy = LOST[what]
    found = gaps_of(trace("7", **differs))

    assert {each: (gap.subject, gap.tenant_id, gap.remedy) for each, gap in found.items()} == {hop: ("7", "acme", remedy)}


def test_a_record_that_is_gone_is_named_by_its_place() -> None:
    known = replace(KNOWN, raw_begins={0: 50})

    assert gaps_of(trace(raw=None, was_at=Coordinates(0, 3)), known=known)[Hop.POLL].what == (
        "its record is gone from calls.raw (it was at [0] 3, which begins at 50 now); its row is there"
    )


WAITS: dict[str, tuple[dict[str, Any], Hop, str]] = {
    "enriched soon": ({"raw": Coordinates(0, 100), "row": None, "events": 0}, Hop.ENRICH, "on its way"),
    "downloaded soon": ({"row": replace(ROW, status=Status.PENDING_DOWNLOAD, s3_key=None, results=(), updated_at=NOW)}, Hop.STATUS, "pending"),
    "parked": ({"row": replace(ROW, status=Status.PENDING_DOWNLOAD, s3_key=None, results=(), parked=True)}, Hop.STATUS, "pending"),
    "exported soon": ({"row": replace(ROW, updated_at=NOW, results=(UNTOLD,)), "exported": frozenset()}, Hop.EXPORT, "on its way"),
    "stored soon": ({"row": replace(ROW, results=(replace(RESULT, exported_at=NOW),)), "events": 0}, Hop.EVENT, "on its way"),
    "refused by poll": ({"raw": None, "row": None, "letters": frozenset({"calls.polled"})}, Hop.POLL, "dead letters"),
    "refused by enrich": ({"row": None, "events": 0, "letters": frozenset({"calls.raw"})}, Hop.ENRICH, "dead letters"),
    "refused as an event": ({"events": 0, "letters": frozenset({"voc.calls"})}, Hop.EVENT, "dead letters"),
    "in error by its export": (
        {"row": replace(ROW, status=Status.ERROR, results=(UNTOLD,)), "exported": frozenset()}, Hop.EXPORT, "dead letters",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WAITS)
def test_what_is_on_its_way_or_was_refused_is_no_gap(what: str) -> None:
    differs, hop, term = WAITS[what]

    assert gaps_of(trace(**differs)) == {}
    assert terms_of(trace(**differs))[hop] == {term: 1}


def test_a_call_whose_topic_lags_is_on_its_way() -> None:
    waiting = trace(row=replace(ROW, status=Status.DOWNLOADED, results=()))
    known = replace(KNOWN, passed=PASSED | {"audio.ready": SCORED_AT})

    assert terms_of(waiting, known=known)[Hop.STATUS] == {"pending": 1}


@pytest.mark.parametrize(("whose", "term"), [(None, "forgotten"), ("ref", "forgotten")])
def test_what_was_forgotten_is_no_gap(whose: str | None, term: str) -> None:
    known = replace(KNOWN, forgets=[Forget("acme", whose, NOW)])

    assert terms_of(trace(events=0, exported=frozenset()), known=known)[Hop.EVENT] == {term: 1}
    assert terms_of(trace(events=0, exported=frozenset()), known=known)[Hop.EXPORT] == {term: 1}


def test_where_another_customer_of_the_tenant_was_forgotten_nothing_is_brought_back_unasked() -> None:
    known = replace(KNOWN, forgets=[Forget("acme", "another", NOW)])
    found = gaps_of(trace(events=0, exported=frozenset()), known=known)

    assert {hop: gap.remedy for hop, gap in found.items()} == {Hop.EXPORT: None, Hop.EVENT: None}


def test_an_event_past_its_retention_is_no_gap() -> None:
    known = replace(KNOWN, kept_since=lambda _tenant: NOW)

    assert terms_of(trace(events=0), known=known)[Hop.EVENT] == {"past their retention": 1}


def test_a_row_that_is_gone_is_not_made_anew_where_its_event_would_be_stored_twice() -> None:
    found = gaps_of(trace(row=None), known=replace(KNOWN, dedup=timedelta(minutes=5)))

    assert found[Hop.ENRICH].remedy is None


def test_once_calls_raw_does_not_keep_the_hour_rows_stand_for_it() -> None:
    known = replace(KNOWN, raw_kept=False)

    assert gaps_of(trace(raw=None), known=known) == {}
    assert gaps_of(trace(raw=None, row=None), known=known)[Hop.POLL].remedy is Remedy.POLL


def test_gaps_beyond_a_bound_are_counted_and_not_named() -> None:
    (poll,) = (each for each in equations(HOUR, [trace(str(n), raw=None, row=None) for n in range(MOST_NAMED + 5)], KNOWN) if each.hop is Hop.POLL)

    assert (poll.left, poll.gap_count, len(poll.gaps)) == (MOST_NAMED + 5, MOST_NAMED + 5, MOST_NAMED)
    whole = merged([poll, poll])[0]
    assert (whole.left, whole.gap_count, len(whole.gaps)) == (2 * (MOST_NAMED + 5), 2 * (MOST_NAMED + 5), MOST_NAMED)


RESULTS = st.builds(Result, st.sampled_from(["m1", "m2"]), st.just(SCORED_AT), st.sampled_from([None, SCORED_AT]), st.booleans())
TRACES = st.builds(
    trace,
    st.text("0123456789", min_size=1, max_size=4),
    tenant_id=st.sampled_from(["acme", "globex", "unassigned"]),
    at_recorder=st.booleans(),
    raw=st.one_of(st.none(), st.builds(Coordinates, st.integers(0, 1), st.integers(0, 200))),
    row=st.one_of(
        st.none(),
        st.builds(
            Row,
            st.sampled_from(Status),
            st.just("ref"),
            st.sampled_from([SCORED_AT, NOW]),
            st.booleans(),
            st.sampled_from([None, "raw/1.wav"]),
            st.sampled_from([None, 10]),
            st.lists(RESULTS, max_size=2).map(tuple),
        ),
    ),
    letters=st.frozensets(st.sampled_from(["calls.polled", "calls.raw", "voc.calls"])),
    stored_size=st.sampled_from([None, 9, 10]),
    exported=st.frozensets(st.sampled_from(["m1", "m2"])),
    events=st.integers(0, 2),
)


@given(st.lists(TRACES, max_size=20))
def test_every_equation_adds_up_whatever_is_lost(traces: list[Trace]) -> None:
    """What is expected is what was found and what is missing; only what nobody expected is a gap beside it."""
    found = equations(HOUR, traces, KNOWN)

    for each in found:
        extra = sum(1 for trace in traces if trace.tenant_id == each.tenant_id and _nobody_expected(trace, each))
        assert each.left == each.terms.total() + each.gap_count - extra


def _nobody_expected(trace: Trace, equation: Equation) -> bool:
    if equation.hop is Hop.POLL:
        return not trace.at_recorder and trace.raw is not None
    return equation.hop is Hop.ENRICH and not trace.at_recorder and trace.raw is None and trace.row is not None
