"""The application of the people's side: routers on a desk, guarded (docs/web.md, ADR 0023)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from voc_stream.web import problems
from voc_stream.web.admission import Admission
from voc_stream.web.caps import Caps
from voc_stream.web.desk import Desk
from voc_stream.web.headers import SecurityHeaders
from voc_stream.web.openapi import describe
from voc_stream.web.routers import ROUTERS, mount

TITLE = "voc-stream"
VERSION = "1"
DESCRIPTION = """Calls, their scores and what customers say, for a tenant's people; and the operator's pages.

Credential: `Authorization: Bearer …` (a token of `faust -A voc_stream token create`, or a JWT of your company's identity provider), or the browser's
session. Errors are problem details (RFC 9457). Lists come in pages: `next` is the `after` of the next one."""


def make_app(desk: Desk) -> FastAPI:
    """Return the application; it opens the desk at its start and closes it at its end.

    Args:
        desk: tests may bring their own.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await desk.open()
        try:
            yield
        finally:
            await desk.close()

    app = FastAPI(
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    app.state.desk = desk
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    mount(app)
    describe(app)
    app.add_middleware(Admission, credentials=desk.credentials, rates=desk.rates)
    app.add_middleware(Caps, settings=desk.settings, rates=desk.rates)
    app.add_middleware(SecurityHeaders)  # the last one added is the outermost
    return app
