"""Pauses for the operator: what stands still, and an order to stand still or to go on (`/pauses`, docs/pausing.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

import httpx
from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field, StringConstraints, model_validator

from voc_stream.clients.pause_store import PauseStore
from voc_stream.services.reading_answers import Answer
from voc_stream.stages.pause_orders import EVERY, PauseOrder, StageName
from voc_stream.web.api.forms import Form, Maybe, TenantId, bounded
from voc_stream.web.desk import AtDesk, Desk
from voc_stream.web.problems import Problem
from voc_stream.web.who import Operator

router = APIRouter(prefix="/pauses", tags=["pauses"])


class Order(Form):
    """An order about a stage, a tenant, or a tenant in a stage."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["stage"]}, {"required": ["tenant_id"]}]})

    action: Literal["pause", "resume"]
    stage: Maybe[StageName] = None
    tenant_id: Maybe[TenantId] = None
    reason: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    """For the audit log and `/readyz`; no personal data."""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.stage is None and self.tenant_id is None:
            raise ValueError("name a stage, a tenant_id or both")
        return self


class OrderShown(Answer):
    """The newest order about a stage or a tenant."""

    stage: str | None
    """Null: every stage."""
    tenant_id: str | None
    """Null: the stage as a whole."""
    paused: bool
    reason: str
    actor: str
    changed_at: datetime


class PausesShown(Answer):
    """What stands still."""

    orders: list[OrderShown]
    """By an operator; workers follow within seconds."""
    stages: list[str] | None = Field(None, description="What the worker beside this process makes of them and of itself; null: it does not say.")
    throttled: dict[str, list[str | None]] | None = None
    """By stage, the tenants that have used up their rate of dead letters; null in place of a tenant: it is not known whose."""


async def store_of(desk: AtDesk) -> PauseStore:
    """Return the store of orders."""
    return PauseStore(desk.db)


Store = Annotated[PauseStore, Depends(store_of)]


@router.get("", summary="List pauses")
async def shown(caller: Operator, desk: AtDesk, store: Store) -> PausesShown:
    """The operator's orders, and what the worker makes of them and of itself; an operator of one tenant sees what is about that tenant."""
    orders = [_described(order) for order in await store.read() if order.paused and caller.tenant_id in {None, order.tenant_id}]
    if caller.tenant_id is not None:
        return PausesShown(orders=orders)
    told = await _of_worker(desk)
    return PausesShown(orders=orders, stages=told.get("stages"), throttled=told.get("throttled"))


@router.post("", summary="Pause or resume")
async def ordered(caller: Operator, store: Store, asked: Order) -> OrderShown:
    """Pause or resume a stage, a tenant, or a tenant in a stage; an operator of one tenant only that tenant."""
    if caller.tenant_id is not None and asked.tenant_id is None:
        raise Problem(403, "a whole stage is not one tenant's to pause")
    tenant_id = bounded(caller, asked.tenant_id)
    paused = asked.action == "pause"
    return _described(await store.order(asked.stage or EVERY, tenant_id or EVERY, caller.actor, paused=paused, reason=asked.reason))


async def _of_worker(desk: Desk) -> dict[str, Any]:
    """Return what the worker says of itself; nothing where there is none, or no answer."""
    if desk.worker is None:
        return {}
    try:
        answer = await desk.worker.get("/pauses")
        told: dict[str, Any] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return {}
    return told


def _described(order: PauseOrder) -> OrderShown:
    return OrderShown(
        stage=None if order.stage == EVERY else order.stage,
        tenant_id=None if order.tenant_id == EVERY else order.tenant_id,
        paused=order.paused,
        reason=order.reason,
        actor=order.actor,
        changed_at=order.changed_at,
    )
