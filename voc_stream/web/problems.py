"""Every error is a problem: `application/problem+json` with a status, a title and one plain sentence (RFC 9457).

No answer holds a stack, a setting or a value of anybody's data; the log has what an operator needs, under the same request id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from voc_stream.errors import OutsideError, RejectedError

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
# Of what is wrong with a request, so much is told.
MOST_FAULTS = 20


class Fault(BaseModel):
    """What is wrong with one part of a request."""

    where: str = Field(description="The part: query, path, body, header, and the name within it.", examples=["query.days"])
    what: str = Field(description="What is wrong with it.", examples=["Input should be less than or equal to 3650"])


class ProblemAnswer(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field("about:blank", description="Always about:blank: the title is the status code's own.")
    title: str = Field(examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field("", description="One sentence for a person.")
    errors: list[Fault] | None = Field(None, description="With 422: what is wrong with which part.")


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """Ends a request with a problem.

    Args:
        status: the HTTP status, from 400.
        detail: one plain sentence, without secret or personal data.
        title: the status code's own name where none is given.
        headers: to send along, such as WWW-Authenticate.
        retry_after: seconds until it is worth trying again.
        errors: what is wrong with which part.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        errors: Sequence[Fault] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.title = title or _title(status)
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, ceil(retry_after)))
        self.errors = tuple(errors)

    def answer(self) -> Response:
        """Return the response."""
        body = ProblemAnswer(title=self.title, status=self.status, detail=self.detail, errors=list(self.errors) or None)
        return JSONResponse(body.model_dump(exclude_none=True), self.status, self.headers, MEDIA_TYPE)


class NotFound(Problem):
    """There is no such thing, or it is another tenant's: nobody is told which."""

    def __init__(self, detail: str = "there is no such thing here") -> None:
        super().__init__(404, detail)


def install(app: FastAPI) -> None:
    """Make problems of what routes raise. `app.state.error_page`, if it is set, may make a page of one for a browser.

    `error_page(request, problem)` returns a response, or None for the problem as it is.
    """

    async def problem(request: Request, error: Exception) -> Response:
        made = problem_of(error)
        if made.status == 405:
            made.headers["Allow"] = ", ".join(sorted(_methods(request)))
        page = getattr(request.app.state, "error_page", None)
        shown: Response | None = page(request, made) if page is not None else None
        return shown or made.answer()

    for kind in (Problem, HTTPException, RequestValidationError, OutsideError):
        app.add_exception_handler(kind, problem)


def problem_of(error: Exception) -> Problem:
    """Return what a caller is told of an error."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return Problem(422, "the request is not of the form that is documented", errors=_faults(error))
        case HTTPException():
            detail = "" if error.detail == _title(error.status_code) else str(error.detail)
            return Problem(error.status_code, detail, headers=error.headers)
        case OutsideError():
            return _outside(error)
        case TimeoutError():
            return Problem(503, "no answer in time: try again, or ask for less", retry_after=RETRY_SECONDS)
        case _:
            return Problem(500, "the server failed")


def _methods(request: Request) -> set[str]:
    """Return the methods of a path: of all its routes, where Starlette tells of the first one's."""
    path: str = request.scope["path"]
    found: set[str] = set()
    for context in iter_route_contexts(request.app.routes):
        if isinstance(context.original_route, APIRoute) and context.path_regex.match(path):
            found |= context.methods or set()
    return found


def _outside(error: OutsideError) -> Problem:
    if isinstance(error, RejectedError):
        return Problem(400, f"{error.dependency} cannot take a value of the request")
    return Problem(503, f"{error.dependency} does not answer as it should: try again", retry_after=error.retry_after or RETRY_SECONDS)


def _faults(error: RequestValidationError) -> list[Fault]:
    return [Fault(where=".".join(str(part) for part in each["loc"])[:200], what=_said(each)) for each in error.errors()[:MOST_FAULTS]]


def _said(fault: Mapping[str, Any]) -> str:
    """Return pydantic's sentence; it may quote nothing of the input but for what our own validators say."""
    return str(fault["msg"]).removeprefix("Value error, ")[:300]


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
