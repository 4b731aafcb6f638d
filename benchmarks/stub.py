"""Stand-ins that cost next to nothing, so that a figure is the worker's: a scorer that answers at once, a store that forgets.

`python -m benchmarks.stub scorer|s3` serves on a free port, told on the first line, until its standard input closes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop
from aiohttp import BodyPartReader, web

_NO_UPLOADS = '<?xml version="1.0"?><ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>'
_VERDICT = {
    "outcome": "SCORED",
    "score": 50.0,
    "model_version": "stub-1",
    "asr_model": "stub",
    "transcript": {"language": "en", "turns": [{"speaker": "customer", "start": 0.0, "end": 1.0, "text": "Thank you."}]},
}
_NOT_A_BODY = {"GET", "HEAD"}


async def _score(request: web.Request) -> web.Response:
    call_id = ""
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        if part.name == "metadata":
            call_id = json.loads(await part.text())["call_id"]
        else:
            while await part.read_chunk(1 << 16):
                pass
    return web.json_response({"call_id": call_id, **_VERDICT})


async def _model(_: web.Request) -> web.Response:
    return web.json_response({"model_version": _VERDICT["model_version"]})


async def _forget(request: web.Request) -> web.Response:
    if request.method in _NOT_A_BODY:
        return web.Response(text=_NO_UPLOADS if "uploads" in request.query else "", content_type="application/xml")
    digest = hashlib.md5(usedforsecurity=False)
    async for chunk in request.content.iter_any():
        digest.update(chunk)
    return web.Response(headers={"ETag": f'"{digest.hexdigest()}"'})


def _scorer() -> web.Application:
    app = web.Application()
    app.add_routes([web.post("/v1/score", _score), web.get("/v1/model", _model), web.get("/readyz", _model)])
    return app


def _s3() -> web.Application:
    app = web.Application(client_max_size=1 << 40)
    app.router.add_route("*", "/{key:.*}", _forget)
    return app


async def _serve(app: web.Application) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@contextmanager
def stub(what: str) -> Iterator[tuple[str, int]]:
    """Lend a stand-in: its URL and process id."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.stub", what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int((process.stdout or sys.stdin).readline())
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()


if __name__ == "__main__":
    uvloop.run(_serve({"scorer": _scorer, "s3": _s3}[sys.argv[1]]()))
