"""The pages: server-rendered HTML for people (docs/adr/0027-pages.md)."""

from __future__ import annotations

from fastapi import FastAPI

from voc_stream.web.pages import (
    access,
    agents,
    alerts,
    call,
    calls,
    ledger,
    letter_act,
    letters,
    live,
    look,
    overview,
    pausing,
    pipeline,
    reader,
    topics,
)
from voc_stream.web.pages.assets import Assets
from voc_stream.web.pages.trouble import trouble

ROUTERS = (
    overview.router,
    calls.router,
    call.router,
    look.router,
    agents.router,
    topics.router,
    alerts.router,
    live.router,
    reader.router,
    pipeline.router,
    letters.router,
    letter_act.router,
    pausing.router,
    ledger.router,
    access.router,
)


def attach(app: FastAPI) -> None:
    """Add the pages, their files, and the pages of problems."""
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", Assets())
    app.state.error_page = trouble
