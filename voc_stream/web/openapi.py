"""`/openapi.json`: generated from the models that check requests and answers; every operation may answer with the problems that it may."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from voc_stream.web.problems import MEDIA_TYPE, ProblemAnswer

# Whatever is asked, it may be answered so (docs/web.md).
EVERYWHERE = {
    "400": "The request cannot be understood.",
    "408": "The body did not come in time.",
    "413": "The body is too large.",
    "414": "Path and query are too long.",
    "422": "A part of the request is not of the documented form.",
    "429": "Too many requests of this address or tenant, or its quota is used up; see Retry-After.",
    "431": "Too many or too long headers.",
    "500": "The server failed.",
    "503": "Something that is needed does not answer; see Retry-After.",
}
WITH_CREDENTIAL = {
    "401": "No credential, or one that is wrong, expired or revoked.",
    "403": "The credential lacks the scope.",
    "404": "There is no such thing, or it is another tenant's.",
}
_REF = "#/components/schemas/"


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` return the whole truth; it is made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags)
            app.openapi_schema = _with_problems(made)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    described = ProblemAnswer.model_json_schema(ref_template=_REF + "{model}")
    schemas |= described.pop("$defs", {})
    schemas["ProblemAnswer"] = described
    for operations in schema.get("paths", {}).values():
        for operation in operations.values():
            _add_problems(operation)
    return schema


def _add_problems(operation: dict[str, Any]) -> None:
    answers = operation.setdefault("responses", {})
    told = EVERYWHERE | (WITH_CREDENTIAL if operation.get("security") else {})
    for status, meaning in told.items():
        answer = {"description": answers.get(status, {}).get("description", meaning)} if status != "422" else {"description": meaning}
        answers[status] = answer | {"content": {MEDIA_TYPE: {"schema": {"$ref": f"{_REF}ProblemAnswer"}}}}
