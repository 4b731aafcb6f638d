"""The control API: calls and faults on request, and the truth about both. No real recorder has it."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Literal, Self, TypeVar

import structlog
from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from voc_stream.devstack.recorder.arrivals import Arrivals, planned_calls
from voc_stream.devstack.recorder.calls import Call, Style
from voc_stream.devstack.recorder.core import Recorder
from voc_stream.devstack.recorder.dialogues import load
from voc_stream.devstack.recorder.faults import Fault
from voc_stream.devstack.recorder.formats import FORMATS
from voc_stream.devstack.recorder.kinds import KINDS
from voc_stream.devstack.recorder.plan import Mix, Planner, Wishes

log = structlog.get_logger(__name__)

Model = TypeVar("Model", bound=BaseModel)


class NewCalls(BaseModel):
    """The body of `POST /control/calls`: `count` calls of a kind. What is None is chosen by the seed.

    Attributes:
        hang_up: `now`, `never` (in progress until `…/hangup`), or seconds from now; not beside `ended_at`.
        started_at: of the last segment; without `ended_at`, the end follows from the recording's length.
        ended_at: of the last segment.
        every_seconds: how long after the one before each further call hangs up.
    """

    model_config = ConfigDict(extra="forbid")

    kind: str = "stereo"
    count: int = Field(1, ge=1, le=10_000)
    seed: int | None = None
    dialogue: str | None = None
    variant: int | None = Field(None, ge=0)
    format: str | None = None
    channels: Literal[1, 2] | None = None
    seconds: float | None = Field(None, gt=0, le=86_400)
    service: str | None = None
    skill: str | None = None
    agent: str | None = None
    late_seconds: float | None = Field(None, ge=0)
    style: Style | None = None
    hang_up: Literal["now", "never"] | float = "now"
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    every_seconds: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for what, value, known in (("kind", self.kind, KINDS), ("dialogue", self.dialogue, load()), ("format", self.format, FORMATS)):
            if value is not None and value not in known:
                msg = f"{what} must be one of {', '.join(known)}"
                raise ValueError(msg)
        return self

    def wishes(self) -> Wishes:
        """What the planner must respect."""
        return Wishes(
            dialogue=self.dialogue,
            variant=self.variant,
            format=self.format,
            channels=self.channels,
            seconds=self.seconds,
            service=self.service,
            skill=self.skill,
            agent=self.agent,
            late=self.late_seconds,
            style=self.style,
        )


class NewArrivals(BaseModel):
    """The body of `POST /control/arrivals`: a plan as the command line makes one. `calls` None: no end."""

    model_config = ConfigDict(extra="forbid")

    calls: int | None = Field(..., ge=1, le=100_000)
    rate: float = Field(20.0, gt=0)
    seed: int = 0
    mix: Mix = "default"


class Control:
    """Handlers of `/control`, and the plans that they set going."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._running: list[tuple[Arrivals, asyncio.Task[None]]] = []
        self._calls_asked_for = 0

    def routes(self) -> list[web.RouteDef]:
        """Every route, under `/control`."""
        return [
            web.get("/control/calls", self.list_calls),
            web.post("/control/calls", self.add_calls),
            web.get("/control/calls/{inum}", self.show_call),
            web.post("/control/calls/{inum}/hangup", self.hang_up),
            web.post("/control/arrivals", self.add_arrivals),
            web.get("/control/faults", self.list_faults),
            web.post("/control/faults", self.add_fault),
            web.delete("/control/faults", self.clear_faults),
            web.delete("/control/faults/{number}", self.remove_fault),
            web.get("/control/stats", self.stats),
            web.post("/control/reset", self.reset),
        ]

    def start(self, arrivals: Arrivals) -> None:
        """Carry a plan out in the background."""
        self._running = [(plan, running) for plan, running in self._running if not running.done()]
        task = asyncio.get_running_loop().create_task(arrivals.run(), name="arrivals")
        task.add_done_callback(_report)
        self._running.append((arrivals, task))

    async def close(self) -> None:
        """Stop every plan, and the studio."""
        await self._stop_plans()
        await asyncio.get_running_loop().run_in_executor(None, self._recorder.studio.close)

    async def list_calls(self, _: web.Request) -> web.Response:
        """`planned` is how many segments there will be in all (null: no end), `entered` how many there are, `over` how many have hung up."""
        now = self._recorder.now()
        calls = list(self._recorder.calls)
        endless = any(arrivals.planned is None for arrivals, _ in self._running)
        to_come = sum((arrivals.planned or 0) - arrivals.entered for arrivals, _ in self._running)
        return web.json_response(
            {
                "planned": None if endless else len(calls) + to_come,
                "entered": len(calls),
                "over": sum(call.over(now) for call in calls),
                "calls": [call.truth() for call in calls],
            }
        )

    async def show_call(self, request: web.Request) -> web.Response:
        """One segment."""
        return web.json_response(self._call(request).truth())

    async def add_calls(self, request: web.Request) -> web.Response:
        """Make calls, and tell the truth about them."""
        wanted = await _body(request, NewCalls)
        planner = Planner(self._calls_asked_for if wanted.seed is None else wanted.seed)
        self._calls_asked_for += wanted.count
        entered: list[Call] = []
        for number in range(wanted.count):
            entered += await self._add(planner, wanted, timedelta(seconds=number * wanted.every_seconds))
        return web.json_response({"calls": [call.truth() for call in entered]}, status=201)

    async def _add(self, planner: Planner, wanted: NewCalls, after: timedelta) -> list[Call]:
        planned = planner.call(wanted.kind, wanted.wishes())
        recordings = await self._recorder.prepare(planned)
        ended_at = wanted.ended_at
        if ended_at is None and wanted.hang_up != "never":
            if wanted.started_at is not None:
                ended_at = wanted.started_at + timedelta(seconds=max(1, round(recordings[-1].seconds)))
            else:
                ended_at = self._recorder.now() + timedelta(seconds=0.0 if wanted.hang_up == "now" else wanted.hang_up)
        started_at = None if wanted.started_at is None else wanted.started_at + after
        return self._recorder.enter(planned, recordings, started_at=started_at, ended_at=None if ended_at is None else ended_at + after)

    async def hang_up(self, request: web.Request) -> web.Response:
        """End a call in progress, now."""
        call = self._call(request)
        self._recorder.hang_up(call)
        return web.json_response(call.truth())

    async def add_arrivals(self, request: web.Request) -> web.Response:
        """Set a plan going."""
        wanted = await _body(request, NewArrivals)
        self.start(Arrivals(self._recorder, planned_calls(wanted.mix, wanted.seed, wanted.calls), wanted.rate, wanted.calls))
        return web.json_response({"planned": wanted.calls}, status=202)

    async def list_faults(self, _: web.Request) -> web.Response:
        """The faults that are set, with how often each will still happen."""
        listed = self._recorder.faults.listed()
        return web.json_response(
            {"faults": [{"id": number, **fault.model_dump(mode="json", exclude_none=True), "left": left} for number, fault, left in listed]}
        )

    async def add_fault(self, request: web.Request) -> web.Response:
        """Set a fault."""
        return web.json_response({"id": self._recorder.faults.add(await _body(request, Fault))}, status=201)

    async def clear_faults(self, _: web.Request) -> web.Response:
        """Remove every fault, also those that calls were born with."""
        self._recorder.faults.clear()
        return web.Response(status=204)

    async def remove_fault(self, request: web.Request) -> web.Response:
        """Remove one fault."""
        number = request.match_info["number"]
        if not number.isdecimal() or not self._recorder.faults.remove(int(number)):
            raise _refusal(web.HTTPNotFound, "no such fault")
        return web.Response(status=204)

    async def stats(self, _: web.Request) -> web.Response:
        """Requests by command and status, and how much was replayed."""
        recorder = self._recorder
        requests: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (command, status), count in sorted(recorder.requests.items()):
            requests[command][str(status)] = count
        return web.json_response(
            {
                "requests": {"search": {}, "replay": {}, "delete": {}, **requests},
                "bytes_replayed": recorder.bytes_sent,
                "replays_in_flight": recorder.replays_in_flight,
                "most_replays_in_flight": recorder.most_replays_in_flight,
            }
        )

    async def reset(self, _: web.Request) -> web.Response:
        """No calls, no plans, no faults, all counts at zero."""
        await self._stop_plans()
        self._recorder.forget()
        return web.Response(status=204)

    def _call(self, request: web.Request) -> Call:
        call = self._recorder.calls.get(request.match_info["inum"])
        if call is None:
            raise _refusal(web.HTTPNotFound, "no such call")
        return call

    async def _stop_plans(self) -> None:
        for _, task in self._running:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._running.clear()


def _report(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("arrivals stopped", exc_info=task.exception())


def _refusal(kind: Callable[..., web.HTTPException], detail: str) -> web.HTTPException:
    return kind(text=json.dumps({"error": detail}), content_type="application/json")


async def _body(request: web.Request, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(await request.read() or b"{}")
    except ValidationError as refused:
        detail = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in refused.errors(include_url=False))
        raise _refusal(web.HTTPUnprocessableEntity, detail) from refused
