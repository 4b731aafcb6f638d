"""`/desk/agents`: how agents' calls were scored, and how sure that is; `/desk/agents/{agent_id}`: one of them by day (docs/page.md)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from voc_stream.services.reading_calls import CallsAsked
from voc_stream.web import texts
from voc_stream.web.api.here import readings_of, up_to_now
from voc_stream.web.pages.chart import lines
from voc_stream.web.pages.render import render
from voc_stream.web.pages.spans import FEW, Axis
from voc_stream.web.pages.tenant_choice import chosen_tenant
from voc_stream.web.problems import NotFound
from voc_stream.web.who import Reader

router = APIRouter(prefix="/desk", include_in_schema=False)

Days = Annotated[int, Query(ge=1, le=366)]
DAYS = 30
NEWEST = 10
# A long table is shown whole when it is asked for.
MOST = 100


@router.get("/agents")
async def agents(request: Request, caller: Reader, days: Days = DAYS, whole: Annotated[bool, Query(alias="all")] = False) -> HTMLResponse:  # noqa: FBT002
    """Show the ranking, its beginning or all of it."""
    tenant = await chosen_tenant(request, caller)
    shown = await readings_of(request).agents.ranking(tenant, up_to_now(days, texts.of(request).zone))
    rows = shown.agents if whole else shown.agents[:MOST]
    axis = Axis.around(value for agent in rows for value in (agent.estimate_low, agent.estimate_high))
    return render(request, "agents.html", caller, shown=shown, agents=rows, days=days, axis=axis, few=FEW)


@router.get("/agents/{agent_id}")
async def agent(request: Request, caller: Reader, agent_id: str, days: Days = DAYS) -> HTMLResponse:
    """Show one agent: among the others, by day, and the newest calls."""
    tenant = await chosen_tenant(request, caller)
    readings = readings_of(request)
    reader = texts.of(request)
    report = await readings.agents.one(tenant, agent_id, up_to_now(days, reader.zone))
    if report is None:
        raise NotFound
    newest = await readings.calls.page(tenant, CallsAsked(agent_id=agent_id, limit=NEWEST))
    labels = [reader.day(each.day) for each in report.by_day]
    named = {reader.gettext("Mean score"): [each.mean for each in report.by_day], reader.gettext("All agents"): [report.mean] * len(labels)}
    words = {name: [reader.number(value, 1) for value in values] for name, values in named.items()}
    axis = Axis.around((report.agent.estimate_low, report.agent.estimate_high, report.mean))
    chart = lines(labels, named, words)
    return render(request, "agent.html", caller, report=report, shown=report.agent, calls=newest.calls, days=days, axis=axis, few=FEW, chart=chart)
