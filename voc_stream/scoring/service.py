"""The service's HTTP: ``/v1/score``, ``/v1/score/batch``, ``/v1/model``, ``/healthz``, ``/readyz``."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from voc_stream.scoring.engine import Engine
from voc_stream.scoring.errors import BusyError, MalformedError, ScoringError, UnauthorisedError
from voc_stream.scoring.intake import Form, spool
from voc_stream.scoring.jobs import AbandonedError, Jobs
from voc_stream.scoring.wire import CallMetadata, ScoreOut, parse_batch, parse_metadata
from voc_stream.settings import Settings

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Service:
    """The handlers. ``load`` is called once, in a thread, after the server has begun to listen."""

    def __init__(self, settings: Settings, load: Callable[[], Engine], *, idle_seconds: float = 30.0) -> None:
        self._token = settings.scorer_token.get_secret_value()
        self._max_bytes = settings.scorer_max_bytes
        self._idle_seconds = idle_seconds
        self._load = load
        self._engine: Engine | None = None
        self._jobs = Jobs(running=settings.scorer_jobs, waiting=settings.scorer_waiting)
        self.failure: Exception | None = None

    def app(self) -> web.Application:
        """The aiohttp application."""
        # Compressed bodies are refused, so they must not be unpacked before they are seen.
        app = web.Application(middlewares=[self._guard], handler_args={"auto_decompress": False})
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/v1/model", self.model)
        app.router.add_post("/v1/score", self.score)
        app.router.add_post("/v1/score/batch", self.batch)
        app.cleanup_ctx.append(self._lifetime)
        return app

    async def healthz(self, _request: web.Request) -> web.Response:
        """Alive."""
        return web.json_response({"status": "ok"})

    async def readyz(self, _request: web.Request) -> web.Response:
        """503 until the models are loaded."""
        if self._engine is None:
            return web.json_response({"status": "loading"}, status=503)
        return web.json_response({"status": "ready", "jobs": self._jobs.taken})

    async def model(self, _request: web.Request) -> web.Response:
        """What scores."""
        engine = self._ready()
        return web.json_response(
            {
                "model_version": engine.model_version,
                "asr_model": engine.asr_model,
                "asr_detail": engine.asr_detail,
                "rubric": engine.rubric.model_dump(mode="json"),
            }
        )

    async def score(self, request: web.Request) -> web.Response:
        """Score one recording."""
        engine = self._ready()
        with self._jobs.admit(), spool() as file:
            form = await Form.open(request, max_bytes=self._max_bytes, idle_seconds=self._idle_seconds)
            metadata = parse_metadata(await form.metadata())
            if not await form.audio(file):
                msg = "The part audio is missing."
                raise MalformedError(msg)
            await form.end()
            out = await self._jobs.run(partial(engine.score, file, metadata))
        _tell(metadata, out)
        return web.json_response(text=out.model_dump_json())

    async def batch(self, request: web.Request) -> web.Response:
        """Score several recordings of one request, each judged on its own."""
        engine = self._ready()
        with self._jobs.admit(), ExitStack() as files:
            form = await Form.open(request, max_bytes=self._max_bytes, idle_seconds=self._idle_seconds)
            calls = parse_batch(await form.metadata())
            recordings = [files.enter_context(spool()) for _ in calls]
            for number, file in enumerate(recordings):
                if not await form.audio(file):
                    msg = f"There are {len(calls)} calls, but {number} parts named audio."
                    raise MalformedError(msg)
            await form.end()
            results = []
            for (call_id, metadata), file in zip(calls, recordings, strict=True):
                try:
                    if isinstance(metadata, ScoringError):
                        raise metadata
                    out = await self._jobs.run(partial(engine.score, file, metadata))
                except ScoringError as error:
                    log.info("refused", call_id=call_id, code=error.code, status=error.status)
                    results.append({"call_id": call_id, "error": {"status": error.status, "code": error.code, "detail": str(error)}})
                else:
                    _tell(metadata, out)
                    results.append(out.model_dump(mode="json"))
        return web.json_response({"results": results})

    def _ready(self) -> Engine:
        if self._engine is None:
            msg = "The models are still being loaded."
            raise BusyError(msg, retry_after=2)
        return self._engine

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if self._token and request.path.startswith("/v1/"):
                self._authorise(request)
            return await handler(request)
        except BusyError as error:
            return web.json_response(error.as_json(), status=error.status, headers={"Retry-After": str(error.retry_after)})
        except AbandonedError:
            return web.json_response({"error": "busy", "detail": "The service is stopping."}, status=503, headers={"Retry-After": "5"})
        except ScoringError as error:
            log.info("refused", code=error.code, status=error.status, path=request.path)
            headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, UnauthorisedError) else None
            return web.json_response(error.as_json(), status=error.status, headers=headers)
        except web.HTTPException as error:
            return web.json_response({"error": error.reason.lower().replace(" ", "_"), "detail": f"{error.reason}."}, status=error.status)

    def _authorise(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            msg = "A bearer token is needed, and this is not it."
            raise UnauthorisedError(msg)

    async def _lifetime(self, _app: web.Application) -> AsyncIterator[None]:
        loading = asyncio.create_task(self._load_engine())
        yield
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)
        await asyncio.to_thread(self._jobs.stop)

    async def _load_engine(self) -> None:
        try:
            self._engine = await asyncio.to_thread(self._load)
        except Exception as error:
            self.failure = error
            # The way in which aiohttp's runner is told to end.
            raise web.GracefulExit from error
        log.info("ready", model_version=self._engine.model_version, asr_model=self._engine.asr_model, asr_detail=self._engine.asr_detail)


def _tell(metadata: CallMetadata, out: ScoreOut) -> None:
    fields: dict[str, Any] = {"outcome": out.outcome, "reason": out.reason, "score": out.score}
    log.info("scored", call_id=metadata.call_id, tenant_id=metadata.tenant_id, seconds=out.audio.duration, latency_ms=out.latency_ms, **fields)
