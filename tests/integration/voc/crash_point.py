"""A ClickHouse in front of which the worker dies at a chosen moment of a chosen insert."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from benchmarks.chaos.flaky import FlakyProxy, serving

Moment = Literal["before the insert", "before its answer", "after its answer"]
# The answer is on its way, and the next commit up to a second off.
_AFTER_SECONDS = 0.02


@dataclass(slots=True)
class CrashPoint(FlakyProxy):
    """Lets everything through, but at one insert of customer events it calls `crash`.

    Args:
        moment: of that insert.
        number: which of them.
        crash: ends the worker at once; without one nothing happens.
    """

    moment: Moment = "before the insert"
    number: int = 1
    crash: Callable[[], object] | None = None
    events: int = 0

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        head = (request.query.get("query", "") + body[:200].decode(errors="replace")).lower()
        self.events += "insert" in head and "voc_events" in head
        crash = self.crash if self.events >= self.number else None
        if crash is not None and self.moment == "before the insert":
            crash()
            return self._drop(request)
        answer = await self._forward(request, body)
        if crash is not None and self.moment == "before its answer":
            crash()
            return self._drop(request)
        if crash is not None:
            asyncio.get_running_loop().call_later(_AFTER_SECONDS, crash)
        return answer or self._drop(request)


@contextmanager
def crash_point(behind: int, moment: Moment, number: int) -> Iterator[CrashPoint]:
    """Lend one, on a thread of its own."""
    proxy = CrashPoint(behind, 0.0, 0, moment=moment, number=number)
    with serving(proxy):
        yield proxy
