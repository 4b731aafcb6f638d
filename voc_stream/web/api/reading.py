"""The routers of what people read."""

from __future__ import annotations

from fastapi import APIRouter

from voc_stream.web.api import agents, alerts, audio, call, calls, search

routers: tuple[APIRouter, ...] = (calls.router, call.router, audio.router, agents.router, alerts.router, search.router)
