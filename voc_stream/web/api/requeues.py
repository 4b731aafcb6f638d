"""Dead letters go back, or tell how they would fare: `POST /dlq/requeue`, `POST /dlq/dry-run` (docs/dead-letters.md).

A request does as much as fits into its time and says what is left; the same request goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends
from pydantic import Field

from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.kafka_sender import KafkaSender
from voc_stream.clients.requeue_store import RequeueStore
from voc_stream.clients.topic_load import topic_loads
from voc_stream.services.dry_run import DryRun
from voc_stream.services.reading_answers import Answer
from voc_stream.services.requeue import Loads, Requeued, Requeuer
from voc_stream.services.trial import Trials
from voc_stream.web.api.forms import WHOLE, bounded
from voc_stream.web.api.letter_forms import LetterOrder
from voc_stream.web.desk import AtDesk, Desk
from voc_stream.web.problems import MEDIA_TYPE, Problem
from voc_stream.web.who import Operator

# After so long no further batch is begun.
WORK_SECONDS = 8.0
MOST_SENT, USUALLY_SENT = 1000, 100
MOST_TRIED, USUALLY_TRIED = 10_000, 1000

T = TypeVar("T")

router = APIRouter(prefix="/dlq", tags=["dead letters"])


class Requeue(LetterOrder):
    """Which open letters to send back to their topics."""

    limit: Annotated[int, Field(ge=1, le=MOST_SENT), WHOLE] = USUALLY_SENT


class Try(LetterOrder):
    """Which open letters to try."""

    limit: Annotated[int, Field(ge=1, le=MOST_TRIED), WHOLE] = USUALLY_TRIED


class Reason(Answer):
    """A reason, and how many letters have it."""

    reason: str
    letters: int


class RequeueDone(Answer):
    """What was done in this request's time."""

    chosen: int
    """Open letters at the beginning."""
    sent: int
    along: int
    """Older letters of the same record or call, which went with those."""
    left_open: list[Reason]
    waiting: str | None
    """Which topics are too far behind to get more now."""


class Fate(Answer):
    """How many letters there are, and how they would fare."""

    letters: int
    passes: int
    fails: int
    unknown: int
    """Nothing is wrong with the record; whether the outside takes it, only a requeue tells."""
    barred: int
    """Cannot be sent back, whatever the stage would say."""


class GroupFate(Fate):
    """Of one fingerprint."""

    fingerprint: str
    stage: str
    error_type: str
    reason: str
    today: list[Reason]
    """Why those that fail or are barred do so."""


class DryRunDone(Fate):
    """What a dry run found in this request's time."""

    complete: bool
    groups: list[GroupFate]


@dataclass(slots=True)
class Tools:
    """What the two routes work with.

    Attributes:
        requeuer: makes one.
        dry: the dry run.
        loads: lends a connection to Kafka that tells how far the group is behind.
        clock: monotonic seconds.
        sending: held by the requeue under way.
    """

    requeuer: Callable[[Loads], Requeuer]
    dry: DryRun
    loads: Callable[[], AbstractAsyncContextManager[Loads]]
    clock: Callable[[], float] = time.monotonic
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)


def tools_of(desk: AtDesk) -> Tools:
    """Return the tools; the producer connects at its first use."""
    if "requeues" not in desk.parts:
        desk.parts["kafka"] = KafkaSender(desk.settings)
        desk.parts["requeues"] = _tools(desk)
    tools: Tools = desk.parts["requeues"]
    return tools


def _tools(desk: Desk) -> Tools:
    letters, settings = DeadLetters(desk.db, desk.vault), desk.settings

    def requeuer(loads: Loads) -> Requeuer:
        return Requeuer(letters=letters, store=RequeueStore(desk.db), publisher=desk.parts["kafka"], loads=loads, settings=settings)

    dry = DryRun(letters=letters, trials=Trials(settings, desk.tenants.current), most_requeues=settings.dlq_max_requeues)
    return Tools(requeuer, dry, lambda: topic_loads(settings))


Sending = Annotated[Tools, Depends(tools_of)]
_BUSY: dict[int | str, dict[str, Any]] = {
    409: {
        "description": "Another requeue is under way in this process.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}},
    }
}


@router.post("/requeue", summary="Send dead letters back", responses=_BUSY)
async def requeue(caller: Operator, tools: Sending, asked: Requeue) -> RequeueDone:
    """Send open letters back to their topics, newest first, below live traffic."""
    if tools.sending.locked():
        raise Problem(409, "another requeue is under way in this process")
    where = asked.of_open(bounded(caller, asked.tenant_id))
    async with tools.sending, tools.loads() as lent:
        done: Requeued = await _last_in_time(tools.requeuer(lent).run(where, actor=caller.actor, limit=asked.limit), tools.clock)
    left = [Reason(reason=why, letters=count) for why, count in done.left_out.most_common()]
    return RequeueDone(chosen=done.chosen, sent=done.sent, along=done.along, left_open=left, waiting=done.waiting or None)


@router.post("/dry-run", summary="Try dead letters")
async def dry_run(caller: Operator, tools: Sending, asked: Try) -> DryRunDone:
    """Tell how open letters would fare today; nothing is sent."""
    where = asked.of_open(bounded(caller, asked.tenant_id))
    found = await _last_in_time(tools.dry.run(where, limit=asked.limit), tools.clock)
    return DryRunDone.model_validate(found.described())


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
