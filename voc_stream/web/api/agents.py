"""`GET /agents`, `/agents/{agent_id}`, `/topics` and `/overview`: a tenant's days in numbers (spec section 4, docs/api.md)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from voc_stream.services.reading_sums import AgentReport, Agents, AgentShown, Overview, Topics, TopicShown
from voc_stream.web.api.here import OR_CSV, AskedDays, AskedDaysInForm, AtReadings, one_page, up_to_now
from voc_stream.web.csv_rows import csv_answer
from voc_stream.web.problems import NotFound
from voc_stream.web.who import Reader, audit

router = APIRouter(tags=["agents and topics"])


@router.get("/agents", summary="Rank agents", response_model=Agents, responses=OR_CSV)
async def agents(request: Request, caller: Reader, readings: AtReadings, asked: AskedDaysInForm) -> Agents | Response:
    """Return the agents that had calls, the best estimate first. With few calls an estimate lies near the mean of all, and its interval is wide."""
    tenant = caller.tenant(asked.tenant_id)
    found = await readings.agents.ranking(tenant, up_to_now(asked.days))
    if asked.format == "json":
        return found
    await audit(request, caller, "agents exported", {"days": asked.days}, subject="agents", tenant=tenant)
    return csv_answer(tuple(AgentShown.model_fields), one_page(found.agents), "agents")


@router.get("/agents/{agent_id}", summary="One agent")
async def agent(agent_id: Annotated[str, Path(min_length=1, max_length=16)], caller: Reader, readings: AtReadings, asked: AskedDays) -> AgentReport:
    """Return an agent among the others, and by day."""
    found = await readings.agents.one(caller.tenant(asked.tenant_id), agent_id, up_to_now(asked.days))
    if found is None:
        raise NotFound
    return found


@router.get("/topics", summary="What calls were about", response_model=Topics, responses=OR_CSV)
async def topics(request: Request, caller: Reader, readings: AtReadings, asked: AskedDaysInForm) -> Topics | Response:
    """Return the topics of calls, the most frequent first."""
    tenant = caller.tenant(asked.tenant_id)
    found = await readings.overview.topics(tenant, up_to_now(asked.days))
    if asked.format == "json":
        return found
    await audit(request, caller, "topics exported", {"days": asked.days}, subject="topics", tenant=tenant)
    return csv_answer(tuple(TopicShown.model_fields), one_page(found.topics), "topics")


@router.get("/overview", summary="Calls in numbers")
async def overview(caller: Reader, readings: AtReadings, asked: AskedDays) -> Overview:
    """Return calls, scored share, mean score, sentiment, complaints and what was scored within two minutes: by day, and against the time before."""
    return await readings.overview.of(caller.tenant(asked.tenant_id), up_to_now(asked.days))
