"""`/desk/pipeline`: each stage with its lag and rate, and what the worker says of what it needs (docs/page.md).

Lag and rate are the whole group's, as Kafka tells them; in flight, queues, limits and dependencies are those of the worker beside these pages.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from voc_stream.clients.topic_load import topic_loads
from voc_stream.errors import OutsideError
from voc_stream.logs import get_logger
from voc_stream.services.progress import Progress, ProgressWatch
from voc_stream.web.desk import AtDesk, Desk
from voc_stream.web.pages.render import render
from voc_stream.web.pages.worker_view import look_at
from voc_stream.web.who import Operator

logger = get_logger(__name__)

router = APIRouter(prefix="/desk", include_in_schema=False)


@router.get("/pipeline")
async def pipeline(request: Request, caller: Operator, desk: AtDesk) -> HTMLResponse:
    """Show the stages and the worker; without Kafka, what is left."""
    progress: Progress | None = None
    try:
        progress = await progress_of(desk).look()
    except OutsideError as error:
        logger.warning("the pipeline cannot be looked at", dependency=error.dependency, reason=error.reason)
    return render(request, "pipeline.html", caller, progress=progress, worker=await look_at(desk.worker))


def progress_of(desk: Desk) -> ProgressWatch:
    """Return the desk's own watch: it remembers earlier looks, for rates."""
    watch: ProgressWatch | None = desk.parts.get("progress")
    if watch is None:
        watch = desk.parts["progress"] = ProgressWatch(desk.settings, lambda: topic_loads(desk.settings))
    return watch
