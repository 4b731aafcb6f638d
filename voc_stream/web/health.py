"""`/healthz` and `/readyz`, open and bare: what is the matter is said on the operator's port, and in the log."""

from __future__ import annotations

import asyncio
from typing import Literal

import httpx
from fastapi import APIRouter, Response
from pydantic import BaseModel

from voc_stream.errors import OutsideError
from voc_stream.web.desk import AtDesk, Desk

ASK_SECONDS = 2.0

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether it makes sense to send work here."""

    status: Literal["ready", "not ready"]


@router.get("/healthz", summary="Alive")
async def healthz() -> Alive:
    """Tell that this process answers; a supervisor that gets no answer restarts it."""
    return Alive()


@router.get("/readyz", summary="Ready", responses={503: {"model": Readiness, "description": "Not ready."}})
async def readyz(desk: AtDesk, response: Response) -> Readiness:
    """Tell whether the worker that started this process is ready; without one, whether PostgreSQL answers."""
    ready = await _is_ready(desk)
    if not ready:
        response.status_code = 503
    return Readiness(status="ready" if ready else "not ready")


async def _is_ready(desk: Desk) -> bool:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            if desk.worker is None:
                await desk.db.probe()
                return True
            return (await desk.worker.get("/readyz")).is_success
    except (OutsideError, TimeoutError, httpx.HTTPError):
        return False
