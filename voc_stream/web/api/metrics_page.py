"""`/metrics` of this process, for an operator of all tenants; the worker's are on the operator's port."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from voc_stream.web.metrics import REGISTRY
from voc_stream.web.problems import Problem
from voc_stream.web.who import Operator

router = APIRouter(tags=["health"])


class MetricsText(Response):
    """Prometheus text."""

    media_type = CONTENT_TYPE_LATEST


@router.get("/metrics", summary="Read metrics", response_class=MetricsText)
async def metrics(caller: Operator) -> MetricsText:
    """Every metric of the people's side, in Prometheus text."""
    if caller.tenant_id is not None:
        raise Problem(403, "these are figures of all tenants")
    return MetricsText(generate_latest(REGISTRY))
