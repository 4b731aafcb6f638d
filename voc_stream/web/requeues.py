"""Dead letters go back, or tell how they would fare, by HTTP: `POST /dlq/requeue`, `POST /dlq/dry-run` (spec section 4, docs/dead-letters.md).

A request does as much as fits into its time and says what is left; the same request goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, TypeVar

from aiohttp import hdrs, web

from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.requeue_store import RequeueStore
from voc_stream.clients.topic_load import TopicLoads, topic_loads
from voc_stream.errors import OutsideError
from voc_stream.kit import App, Kit, Page
from voc_stream.services.dry_run import DryRun
from voc_stream.services.requeue import Loads, Requeued, Requeuer
from voc_stream.services.trial import Trials
from voc_stream.settings import Settings
from voc_stream.web.access import OPERATOR, operator
from voc_stream.web.letter_question import Asked, asked_in_body

# After so long no further batch is begun.
WORK_SECONDS = 8.0
MOST_SENT, USUALLY_SENT = 1000, 100
MOST_TRIED, USUALLY_TRIED = 10_000, 1000

T = TypeVar("T")


def attach(app: App, kit: Kit) -> None:
    """Add the routes once Faust has made its web server."""
    letters = DeadLetters(kit.db, kit.vault)
    trials = Trials(kit.settings, kit.tenants.current)

    def requeuer(loads: Loads) -> Requeuer:
        return Requeuer(letters=letters, store=RequeueStore(kit.db), publisher=kit.publisher, loads=loads, settings=kit.settings)

    dry = DryRun(letters=letters, trials=trials, most_requeues=kit.settings.dlq_max_requeues)
    app.pages |= pages(requeuer, dry, lambda: topic_loads(kit.settings), kit.settings)


def pages(
    requeuer: Callable[[Loads], Requeuer],
    dry: DryRun,
    loads: Callable[[], AbstractAsyncContextManager[TopicLoads]],
    settings: Settings,
    clock: Callable[[], float] = time.monotonic,
) -> dict[tuple[str, str], Page]:
    """Return the pages by method and path.

    Args:
        requeuer: makes one.
        dry: the dry run.
        loads: lends a connection to Kafka.
        settings: OPERATOR_TOKEN.
        clock: monotonic seconds; replaced in tests.
    """
    sending = asyncio.Lock()

    async def send_back(asked: Asked) -> Requeued:
        async with sending, loads() as lent:
            return await _last_in_time(requeuer(lent).run(asked.where, actor=OPERATOR, limit=asked.limit), clock)

    async def requeue(request: web.Request) -> web.StreamResponse:
        """Send open letters back."""
        asked = await _of_open(request, USUALLY_SENT, MOST_SENT)
        if sending.locked():
            raise web.HTTPConflict(text="another requeue is under way on this worker\n")
        done = await _answered(send_back(asked))
        left_open = [{"reason": why, "letters": count} for why, count in done.left_out.most_common()]
        figures = {"chosen": done.chosen, "sent": done.sent, "along": done.along}
        return web.json_response(figures | {"left_open": left_open, "waiting": done.waiting or None})

    async def dry_run(request: web.Request) -> web.StreamResponse:
        """Tell how open letters would fare."""
        asked = await _of_open(request, USUALLY_TRIED, MOST_TRIED)
        return web.json_response((await _answered(_last_in_time(dry.run(asked.where, limit=asked.limit), clock))).described())

    return {("POST", "/dlq/requeue"): operator(settings, requeue), ("POST", "/dlq/dry-run"): operator(settings, dry_run)}


async def _of_open(request: web.Request, usual: int, most: int) -> Asked:
    asked = await asked_in_body(request, usual=usual, most=most)
    if asked.where.state not in {None, "open"}:
        raise web.HTTPBadRequest(text="state: only open letters can be sent back\n")
    if asked.after is not None:
        raise web.HTTPBadRequest(text="after: the next request finds what is still open by itself\n")
    return asked


async def _last_in_time(steps: AsyncGenerator[T, None], clock: Callable[[], float]) -> T:
    """Go on until the end, or until the time is over; never in the middle of a step."""
    end = clock() + WORK_SECONDS
    async with aclosing(steps):
        done = await anext(steps)
        while clock() < end:
            try:
                done = await anext(steps)
            except StopAsyncIteration:
                break
    return done


async def _answered(answer: Awaitable[Any]) -> Any:
    """Wait for it.

    Raises:
        web.HTTPServiceUnavailable: a server failed; what was done until then is done.
    """
    try:
        return await answer
    except OutsideError as error:
        raise web.HTTPServiceUnavailable(text=f"{error}\n", headers={hdrs.RETRY_AFTER: "5"}) from None
