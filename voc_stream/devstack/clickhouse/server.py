"""ClickHouse's HTTP interface in front of the engine, enough for an unmodified ``clickhouse-connect``."""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Mapping

import cramjam
from aiohttp import BasicAuth, hdrs, web

from voc_stream.devstack.clickhouse.engine import Answer, BusyError, Engine, EngineError
from voc_stream.devstack.clickhouse.protocol import (
    AUTHENTICATION_FAILED,
    BAD_ARGUMENTS,
    NOT_IMPLEMENTED,
    TOO_MANY_QUERIES,
    BadRequestError,
    Statement,
    error_code,
    http_status,
    parse,
)

MAX_BODY_BYTES = 1 << 30


class Server:
    """The handlers. ``user`` and ``password`` are the only account."""

    def __init__(self, engine: Engine, user: str, password: str) -> None:
        self._engine = engine
        self._account = (user, password)

    def application(self) -> web.Application:
        """The aiohttp application; it closes the engine when it is cleaned up."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/ping", self.ping)
        app.router.add_route("*", "/", self.query)
        app.on_cleanup.append(self._close)
        return app

    async def ping(self, _request: web.Request) -> web.Response:
        """Alive, without a word to the engine, as ClickHouse does."""
        return web.Response(text="Ok.\n")

    async def query(self, request: web.Request) -> web.Response:
        """Run the statement of the request; an error has the exception's code in a header and its text in the body."""
        if request.method == hdrs.METH_GET and "query" not in request.query:
            return await self.ping(request)
        if not self._allowed(request):
            message = f"Code: {AUTHENTICATION_FAILED}. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)"
            return _failure(message, AUTHENTICATION_FAILED)
        try:
            statement = parse(*await _read(request))
            answer = await self._engine.run(statement)
        except BadRequestError as error:
            return _failure(str(error), error_code(str(error)))
        except EngineError as error:
            return _failure(str(error), error.code)
        except BusyError:
            return _failure(f"Code: {TOO_MANY_QUERIES}. DB::Exception: Too many simultaneous queries.", TOO_MANY_QUERIES)
        return _success(statement, answer, request.query.get("query_id") or str(uuid.uuid4()))

    async def _close(self, _app: web.Application) -> None:
        self._engine.close()

    def _allowed(self, request: web.Request) -> bool:
        given = [_credentials(request), (request.headers.get("X-ClickHouse-User"), request.headers.get("X-ClickHouse-Key"))]
        given.append((request.query.get("user"), request.query.get("password")))
        name, password = next((pair for pair in given if pair[0]), ("default", ""))
        same = [hmac.compare_digest((a or "").encode(), b.encode()) for a, b in zip((name, password), self._account, strict=True)]
        return all(same)


def _credentials(request: web.Request) -> tuple[str | None, str | None]:
    try:
        auth = BasicAuth.decode(request.headers.get(hdrs.AUTHORIZATION, ""), encoding="utf-8")
    except ValueError:
        return None, None
    return auth.login, auth.password


async def _read(request: web.Request) -> tuple[Mapping[str, str], bytes]:
    """URL and form arguments, and the body in the clear (aiohttp decodes gzip, deflate and zstd by itself, lz4 it does not know)."""
    if request.content_type == "multipart/form-data":
        form = await request.post()
        if any(not isinstance(value, str) for value in form.values()):
            msg = "external tables are not served by this engine"
            raise BadRequestError(msg, NOT_IMPLEMENTED)
        return {**request.query, **{name: str(value) for name, value in form.items()}}, b""
    body = await request.read()
    if request.headers.get(hdrs.CONTENT_ENCODING) == "lz4" and body:
        try:
            body = bytes(cramjam.lz4.decompress(body))
        except cramjam.DecompressionError as error:
            msg = "the body is not lz4"
            raise BadRequestError(msg, BAD_ARGUMENTS) from error
    return request.query, body


def _success(statement: Statement, answer: Answer, query_id: str) -> web.Response:
    summary = {
        "read_rows": answer.read_rows,
        "read_bytes": answer.read_bytes,
        "written_rows": answer.written_rows,
        "written_bytes": answer.written_bytes,
        "result_bytes": len(answer.body),
        "elapsed_ns": answer.elapsed_ns,
    }
    headers = {
        "X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in summary.items()}),
        "X-ClickHouse-Query-Id": query_id,
        "X-ClickHouse-Timezone": "UTC",
    }
    if statement.result_format:  # the client takes it as "rows follow"
        headers["X-ClickHouse-Format"] = statement.result_format
    return web.Response(body=answer.body, headers=headers, content_type="application/octet-stream")


def _failure(message: str, code: int) -> web.Response:
    headers = {"X-ClickHouse-Exception-Code": str(code or 1001)}  # 1001 is ClickHouse's STD_EXCEPTION
    return web.Response(status=http_status(code), text=message.rstrip() + "\n", headers=headers)
