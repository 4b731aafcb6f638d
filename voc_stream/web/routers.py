"""Every router of the people's side, a line each."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from voc_stream.web import health, login, pages, reference
from voc_stream.web.api import completeness, dlq, metrics_page, pauses, reading, requeues, summary

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    reference.router,
    login.router,
    metrics_page.router,
    summary.router,
    dlq.router,
    requeues.router,
    pauses.router,
    completeness.router,
    *reading.routers,
)


def mount(app: FastAPI) -> None:
    """Add what is no router: the pages with their files, and the pages of problems."""
    pages.attach(app)
