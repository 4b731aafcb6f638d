"""The pages on readings that answer from memory: what a tenant's calls may look like, and what a caller may be."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI, Request, Response

from voc_stream.services.cursors import CursorError
from voc_stream.services.reading_answers import (
    AlertShown,
    AlertsPage,
    CallRow,
    CallShown,
    CallsPage,
    Composed,
    EvidenceShown,
    Felt,
    Hit,
    Hop,
    ItemShown,
    Part,
    RecordingShown,
    ScoreCard,
    SearchPage,
    Segment,
    Snippet,
    Timeline,
    TranscriptShown,
    TurnShown,
    Version,
)
from voc_stream.services.reading_calls import CallsAsked
from voc_stream.services.reading_search import SearchAsked
from voc_stream.services.reading_sums import DayTotals, Overview, Totals
from voc_stream.stages.changes import Status
from voc_stream.stages.days import Days
from voc_stream.stages.tenants import TenantMap
from voc_stream.web import problems
from voc_stream.web.headers import SecurityHeaders
from voc_stream.web.pages import attach
from voc_stream.web.who import Caller

AT = datetime(2026, 11, 22, 8, 14, 5, tzinfo=UTC)
READER = Caller("token:reader", "acme", frozenset({"read"}))
SEER = Caller("token:seer", "acme", frozenset({"read", "original"}), session=True)
ADMIN = Caller("token:admin", None, frozenset({"read", "original", "operate", "admin"}), session=True)

NO_CALLS = Totals(
    calls=0, scored=0, not_scorable=0, failed=0, scored_share=None, mean=None, sentiment=None, complaints=0, on_time=0, on_time_share=None
)
SOME_CALLS = Totals(
    calls=1204,
    scored=1119,
    not_scorable=61,
    failed=24,
    scored_share=0.9294,
    mean=78.43,
    sentiment=0.127,
    complaints=88,
    on_time=1101,
    on_time_share=0.9839,
)


def row(call_id: str = "700000000000123", **changes: Any) -> CallRow:
    """Return a scored call."""
    call = CallRow(
        call_id=call_id, started_at=AT, ended_at=AT + timedelta(seconds=94), seconds=94.0, agent_id="4603", skill="billing", service="acme-support",
        status=Status.SCORED, score=71.5, sentiment=-0.31, composite=60.4, topic="billing",
    )  # fmt: skip
    return call.model_copy(update=changes)


def overview(days: int, now: Totals = SOME_CALLS, before: Totals = SOME_CALLS) -> Overview:
    """Return the last days, each with its share of the calls."""
    last = AT.date()
    by_day = [DayTotals(day=last - timedelta(days=back), **now.model_dump()) for back in reversed(range(days))]
    return Overview(days=days, first=last - timedelta(days=days - 1), last=last, now=now, before=before, by_day=by_day)


def alert(**changes: Any) -> AlertShown:
    """Return an open alert."""
    return AlertShown(
        alert_id=uuid.UUID(int=7), rule="complaints", metric="complaint_share", window_minutes=15, state="raised", raised_at=AT, raised_value=0.42,
        raised_count=31, cleared_at=None, cleared_cause=None, cleared_value=None, cleared_count=None,
    ).model_copy(update=changes)  # fmt: skip


def whole(call: CallRow | None = None, **changes: Any) -> CallShown:
    """Return a call with everything that is known of it."""
    said = [
        TurnShown(speaker="agent", start=0.6, end=9.2, text="Good morning, thank you for calling. My name is Alex. How may I help you today?"),
        TurnShown(speaker="customer", start=10.1, end=19.8, text="I am really angry. You charged me twice this month."),
        TurnShown(speaker="agent", start=20.4, end=41.0, text="I am very sorry about that. May I have your order number, please?"),
        TurnShown(speaker="customer", start=43.0, end=60.2, text="The order number is [NUMBER]."),
        TurnShown(speaker="agent", start=61.0, end=80.0, text="The second charge is our mistake: the refund is on its way. Is there anything else?"),
        TurnShown(speaker="customer", start=81.0, end=92.5, text="No, that is great. Thank you."),
    ]
    items = [
        ItemShown(item="greeting", points=10, max_points=10, applicable=True, detail="The agent greets the customer.",
                  evidence=[EvidenceShown(quote="Good morning", start=0.6, end=1.9, speaker="agent")]),
        ItemShown(item="dead_air", points=6.2, max_points=15, applicable=True, detail="18 % of the call is dead air.",
                  evidence=[EvidenceShown(quote="", start=41.0, end=43.0, speaker="unknown")]),
        ItemShown(item="interruptions", points=0, max_points=10, applicable=False, detail="One channel only.", evidence=[]),
    ]  # fmt: skip
    card = ScoreCard(
        outcome="SCORED", score=71.5, reason=None, detail=None, model_version="rubric-1+whisper-tiny.en", asr_model="whisper-tiny.en",
        scored_at=AT + timedelta(seconds=142), latency_ms=2100, breakdown=items,
    )  # fmt: skip
    shown = CallShown(
        call=call or row(),
        switch_call_id="s-1",
        score_card=card,
        versions=[Version(model_version=card.model_version, asr_model=card.asr_model, outcome="SCORED", score=71.5, scored_at=card.scored_at)],
        felt=Felt(sentiment=-0.31, source="rule", heard_at=AT),
        composed=Composed(composite=60.4, weight=0.7),
        recording=RecordingShown(seconds=94.0, codec="pcm_s16le", sample_rate=8000, channels=2, size_bytes=3_008_044, sha256="0" * 64),
        transcript=TranscriptShown(language="en", original=False, turns=said),
        transcript_trouble=None,
        segments=[Segment(call_id="700000000000123", started_at=AT, ended_at=AT, agent_id="4603", status=Status.SCORED, score=71.5)],
    )
    return shown.model_copy(update=changes)


def timeline(**changes: Any) -> Timeline:
    """Return what happened to it: all of it in time but for the download."""
    end = AT + timedelta(seconds=94)

    def hop(stage: str, what: str, since_end: float, delay: float, share: float | None, **more: Any) -> Hop:
        told = {"attempt": 1, "topic": "calls.raw", "partition": 3, "offset": 1042, "late": False, "failed": False, "reason": None, **more}
        return Hop(at=end + timedelta(seconds=since_end), stage=stage, what=what, since_end=since_end, delay=delay, share=share, **told)

    return Timeline(
        call_id="700000000000123", started_at=AT, ended_at=end, status=Status.SCORED, reason=None, scored_after=88.0, budget=120.0, on_time=True,
        hops=[
            hop("enrich", "enriched", 31.0, 31.0, 65.0),
            hop("download", "downloaded", 74.0, 43.0, 20.0, late=True, attempt=2, reason="the recorder answered 503"),
            hop("score", "scored", 88.0, 14.0, 30.0, trace_id="4bf92f3577b34da6a3ce929d0e0e4736"),
            hop("export", "exported", 90.1, 2.1, None),
        ],
    ).model_copy(update=changes)  # fmt: skip


def found(*texts: str, known: bool = True) -> SearchPage:
    """Return calls in which something was found, marked between the first two parts of each text."""
    parts = [[Part(text=text, hit=False), Part(text="refund", hit=True)] for text in texts]
    return SearchPage(
        words=["refund"],
        hits=[
            Hit(
                call_id=f"70{n}",
                at=AT,
                agent_id="4603",
                topic="billing",
                sentiment=0.4,
                known=known,
                snippets=[Snippet(speaker="agent", start=61.0, parts=part)],
            )
            for n, part in enumerate(parts)
        ],
    )


@dataclass(slots=True)
class Readings:
    """Answers what it holds; an exception in its place is raised."""

    days: Callable[[int], Overview] = overview
    calls_page: CallsPage | Exception = field(default_factory=lambda: CallsPage(calls=[row()], next="more"))
    alerts_page: AlertsPage | Exception = field(default_factory=lambda: AlertsPage(alerts=[alert()]))
    search_page: SearchPage | Exception = field(default_factory=lambda: found("Your "))
    one: CallShown | Exception | None = field(default_factory=whole)
    hops: Timeline | Exception | None = field(default_factory=timeline)
    asked: list[Any] = field(default_factory=list)

    @property
    def overview(self) -> Any:
        """As the readings have it."""
        return SimpleNamespace(of=self._days)

    @property
    def calls(self) -> Any:
        """As the readings have it."""
        return SimpleNamespace(page=self._calls)

    @property
    def alerts(self) -> Any:
        """As the readings have it."""
        return SimpleNamespace(page=lambda *asked, **wishes: self._answer(self.alerts_page, *asked, **wishes))

    @property
    def search(self) -> Any:
        """As the readings have it."""
        return SimpleNamespace(page=lambda *asked: self._answer(self.search_page, *asked))

    @property
    def call(self) -> Any:
        """As the readings have it."""
        return SimpleNamespace(read=lambda *asked, **wishes: self._answer(self.one, *asked, **wishes))

    @property
    def timeline(self) -> Any:
        """As the readings have it."""
        return SimpleNamespace(of=lambda *asked: self._answer(self.hops, *asked))

    async def _days(self, tenant: str, time: Days) -> Overview:
        shown: Overview = await self._answer(self.days(time.count), tenant, time)
        return shown

    async def _calls(self, tenant: str, asked: CallsAsked) -> CallsPage:
        if asked.cursor == "bad":
            raise CursorError
        page: CallsPage = await self._answer(self.calls_page, tenant, asked)
        return page.model_copy(update={"calls": page.calls[: asked.limit]})

    async def _answer(self, answer: Any, *asked: Any, **wishes: Any) -> Any:
        self.asked.append((*asked, wishes) if wishes else asked)
        if isinstance(answer, Exception):
            raise answer
        return answer


def pages(caller: Caller | None = READER) -> FastAPI:
    """Return an application that has the pages only, and takes everybody for this caller."""
    app = FastAPI()
    problems.install(app)
    attach(app)
    app.state.desk = SimpleNamespace(tenants=SimpleNamespace(current=lambda: TenantMap(services={"a*": "acme", "g*": "globex"})))

    @app.middleware("http")
    async def known(request: Request, serve: Callable[[Request], Awaitable[Response]]) -> Response:
        if caller is not None:
            request.state.caller = caller
            request.state.session_id = "session" if caller.session else None
        return await serve(request)

    app.add_middleware(SecurityHeaders)
    return app


__all__ = ["ADMIN", "AT", "READER", "SEER", "Readings", "SearchAsked", "alert", "found", "overview", "pages", "row", "timeline", "whole"]
