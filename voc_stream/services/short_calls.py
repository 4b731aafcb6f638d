"""Short calls, scored a few at a time where the scoring API offers it (spec section 2.5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from voc_stream.clients.scoring_wire import ScoreReply, ScoreRequest
from voc_stream.errors import OutsideError, RejectedError
from voc_stream.logs import get_logger
from voc_stream.tracing.current import nobody

logger = get_logger(__name__)

# How long the first of a batch waits for others.
GATHER_SECONDS = 0.05


class Scores(Protocol):
    """What batching needs of the scoring client."""

    async def score(self, request: ScoreRequest, audio: AsyncIterator[bytes]) -> ScoreReply:
        """One call."""

    async def score_batch(self, calls: Sequence[tuple[ScoreRequest, bytes]]) -> list[ScoreReply | OutsideError]:
        """Several calls, each judged on its own."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: ScoreRequest
    audio: bytes
    reply: asyncio.Future[ScoreReply]


class ShortCalls:
    """Gathers calls that ask for a score at about the same time into one request.

    Args:
        scoring: the client.
        size: most calls a request.
    """

    def __init__(self, scoring: Scores, size: int) -> None:
        self._scoring = scoring
        self._size = size
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._offered = True

    async def score(self, request: ScoreRequest, audio: bytes) -> ScoreReply:
        """Score one call, perhaps together with others.

        Raises:
            OutsideError: as the client does, for this call.
        """
        if not self._offered:
            return await self._scoring.score(request, _one(audio))
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, audio, loop.create_future())
        self._waiting.append(waiting)
        if len(self._waiting) >= self._size:
            self._send_off()
        elif self._timer is None:
            self._timer = loop.call_later(GATHER_SECONDS, self._send_off, context=nobody())
        return await waiting.reply

    def _send_off(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = [waiting for waiting in self._waiting if not waiting.reply.done()], []
        if batch:
            task = asyncio.get_running_loop().create_task(self._send(batch), context=nobody())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, batch: Sequence[_Waiting]) -> None:
        replies: Sequence[ScoreReply | OutsideError]
        try:
            replies = await self._scoring.score_batch([(waiting.request, waiting.audio) for waiting in batch])
        except RejectedError as error:
            logger.info("the scoring API takes no batches: calls go one by one", reason=error.reason)
            self._offered = False
            replies = [await self._alone(waiting) for waiting in batch]
        except OutsideError as error:
            replies = [error] * len(batch)
        except Exception as unknown:  # noqa: BLE001 - whoever waits must meet it: an error of this task alone would be seen by nobody
            for waiting in batch:
                if not waiting.reply.done():
                    waiting.reply.set_exception(unknown)
            return
        for waiting, reply in zip(batch, replies, strict=True):
            if waiting.reply.done():
                continue
            if isinstance(reply, OutsideError):
                waiting.reply.set_exception(reply)
            else:
                waiting.reply.set_result(reply)

    async def _alone(self, waiting: _Waiting) -> ScoreReply | OutsideError:
        try:
            return await self._scoring.score(waiting.request, _one(waiting.audio))
        except OutsideError as error:
            return error


async def _one(audio: bytes) -> AsyncIterator[bytes]:
    yield audio
