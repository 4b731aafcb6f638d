"""`/desk/live`: a page's numbers as they change, by server-sent events (docs/page.md, docs/adr/0028-live-and-texts.md).

Each event is JSON: `numbers`, texts by the names of the page's `data-live` elements, `new`, a sentence where something came since the page was made,
and `said`, a sentence to announce. Language and formats are the reader's own; the question behind is asked once for all readers.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from sse_starlette import EventSourceResponse, JSONServerSentEvent

from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.web import texts
from voc_stream.web.api.here import readings_of
from voc_stream.web.desk import AtDesk, Desk
from voc_stream.web.live import Board, FullError
from voc_stream.web.pages import live_scenes
from voc_stream.web.pages.live_scenes import Scene, Seen
from voc_stream.web.pages.pipeline import progress_of
from voc_stream.web.pages.tenant_choice import chosen_tenant
from voc_stream.web.problems import Problem
from voc_stream.web.texts import Texts
from voc_stream.web.who import Caller, Reader, still

MOST_STREAMS = 400
HEARTBEAT_SECONDS = 15
# A credential is looked at again so often, and something new is announced no more often than this.
STILL_SECONDS = 15.0
QUIET_SECONDS = 20.0
# Who takes nothing for so long is gone.
SEND_SECONDS = 30.0
FULL_SECONDS = 60

router = APIRouter(prefix="/desk", include_in_schema=False)

Page = Literal["overview", "calls", "alerts", "letters", "pipeline"]
Events = AsyncGenerator[JSONServerSentEvent, None]


@router.get("/live")
async def live(request: Request, caller: Reader, desk: AtDesk, page: Page, days: Annotated[int, Query(ge=1, le=366)] = 7) -> EventSourceResponse:
    """Stream a page's numbers until the reader leaves, may no longer read, or the server ends."""
    scene = await _scene(request, caller, desk, page, days)
    events = _events(request, caller, board_of(desk), scene)
    try:
        # Its first event is there at once: it says that there is room.
        first = await anext(events)
    except FullError:
        raise Problem(429, "as many pages are live as may be", retry_after=FULL_SECONDS) from None
    return EventSourceResponse(_all(first, events), ping=HEARTBEAT_SECONDS, send_timeout=SEND_SECONDS)


def board_of(desk: Desk) -> Board[Seen]:
    """Return the desk's board, which ends with it."""
    board: Board[Seen] | None = desk.parts.get("live")
    if board is None:
        settings = desk.settings
        board = desk.parts["live"] = Board(settings.live_seconds, most_of_one=settings.live_streams_per_tenant, most=MOST_STREAMS)
    return board


async def _scene(request: Request, caller: Caller, desk: Desk, page: Page, days: int) -> Scene:
    match page:
        case "letters" | "pipeline" if not caller.may("operate"):
            raise Problem(403, "the scope operate is needed")
        case "letters":
            return live_scenes.letters(DeadLetters(desk.db, desk.vault).count, caller.tenant_id)
        case "pipeline":
            return live_scenes.pipeline(progress_of(desk).look)
        case "overview":
            return live_scenes.overview(readings_of(request), await chosen_tenant(request, caller), days, texts.of(request).zone)
        case "calls":
            return live_scenes.calls(readings_of(request), await chosen_tenant(request, caller))
        case "alerts":
            return live_scenes.alerts(readings_of(request), await chosen_tenant(request, caller))


async def _events(request: Request, caller: Caller, board: Board[Seen], scene: Scene) -> Events:
    with board.place(caller.tenant_id or "*"):
        yield JSONServerSentEvent({"numbers": {}}, retry=int(1000 * QUIET_SECONDS))
        teller, proven, began = Teller(texts.of(request)), time.monotonic(), False
        async with aclosing(board.watch(scene.key, scene.ask)) as answers:
            async for seen in answers:
                if time.monotonic() - proven > STILL_SECONDS:
                    if not await still(request, caller):
                        return
                    proven = time.monotonic()
                told = teller.told(seen)
                # The first answer is told even where nothing differs: from it on, what comes is new.
                if told or not began:
                    began = True
                    yield JSONServerSentEvent(told)


async def _all(first: JSONServerSentEvent, rest: Events) -> Events:
    yield first
    async with aclosing(rest):
        async for event in rest:
            yield event


class Teller:
    """Tells one reader what changed, in their language.

    Args:
        reader: their texts.
        clock: monotonic seconds; replaced in tests.
    """

    def __init__(self, reader: Texts, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._numbers: dict[str, str] = {}
        self._alerts: float | None = None
        self._came: int | None = None
        self._new = 0
        self._quiet_until = 0.0

    def told(self, seen: Seen) -> dict[str, Any]:
        """Return what differs from what was told before; empty where nothing does."""
        numbers = {name: figure.told(self._reader) for name, figure in seen.figures.items()}
        changed = {name: text for name, text in numbers.items() if self._numbers.get(name) != text}
        self._numbers = numbers
        told: dict[str, Any] = {"numbers": changed} if changed else {}
        if new := self._came_since(seen.came):
            told |= {"new": new}
        if said := self._alarm(seen) or self._announced(told.get("new")):
            told |= {"said": said}
        return told

    def _came_since(self, came: int | None) -> str | None:
        """Return the sentence of how much came since the page was made, when that changed."""
        if came is None:
            return None
        if self._came is None or came < self._came:  # a new day began, or something was forgotten
            self._came, self._new = came, 0
        new = came - self._came
        if new == self._new:
            return None
        self._new = new
        return self._reader.ngettext("%(num)s new since you opened this page", "%(num)s new since you opened this page", new) % {
            "num": self._reader.number(new)
        }

    def _announced(self, new: str | None) -> str | None:
        """Return what is new if nothing was said for a while: a screen reader is not to talk all the time."""
        now = self._clock()
        if new is None or now < self._quiet_until:
            return None
        self._quiet_until = now + QUIET_SECONDS
        return new

    def _alarm(self, seen: Seen) -> str | None:
        """Return the sentence of a change in the open alerts: it is said at once."""
        alerts = seen.figures.get("alerts")
        if alerts is None or alerts.value is None:
            return None
        before, self._alerts = self._alerts, alerts.value
        if before is None or before == alerts.value:
            return None
        number = int(alerts.value)
        return self._reader.ngettext("%(num)s alert is open now", "%(num)s alerts are open now", number) % {"num": self._reader.number(number)}
