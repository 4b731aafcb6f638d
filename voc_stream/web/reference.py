"""`/openapi.json`, and `/docs`: a page to read it, made here of the same document and asking no other host."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Security
from fastapi.responses import HTMLResponse, JSONResponse, Response

from voc_stream.web.who import admitted

_METHODS = ("get", "head", "post", "put", "patch", "delete")
_BOUNDS = {"minimum": "≥", "maximum": "≤", "maxLength": "length ≤", "pattern": "like"}
_STYLE = """:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
section { border-top: 1px solid color-mix(in srgb, currentcolor 25%, transparent); padding: .5rem 0 1rem; }
h2 { margin-top: 2.5rem; } h3 { font-family: ui-monospace, monospace; font-size: 1rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
td:first-child { font-family: ui-monospace, monospace; white-space: nowrap; }
"""

router = APIRouter(include_in_schema=False, dependencies=[Security(admitted)])


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    """Return the OpenAPI document."""
    app: FastAPI = request.app
    return JSONResponse(app.openapi(), headers={"Cache-Control": "no-cache"})


@router.get("/docs.css")
async def style() -> Response:
    """Return the page's style."""
    return Response(_STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


@router.get("/docs")
async def page(request: Request) -> Response:
    """Return the document as a page."""
    app: FastAPI = request.app
    return HTMLResponse(render(app.openapi()), headers={"Cache-Control": "no-cache"})


def render(document: dict[str, Any]) -> str:
    """Return a page that tells an OpenAPI document: operations by tag, with parameters, bodies and answers, then the models."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if operation := operations.get(method):
                by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append(_operation(method, path, operation))
    info = document["info"]
    described = info.get("description", "").split("\n\n")
    parts = [f"<h1>{escape(info['title'])} API</h1>", *(f"<p>{escape(part)}</p>" for part in described)]
    parts.append('<p><a href="/openapi.json">openapi.json</a></p>')
    for tag, sections in by_tag.items():
        parts += [f"<h2>{escape(tag)}</h2>", *sections]
    parts += ["<h2>Models</h2>", *(_model(name, model) for name, model in sorted(document["components"]["schemas"].items()))]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(info["title"])} API</title>'
    style = '<link rel="stylesheet" href="/docs.css">'
    return f'<!doctype html><html lang="en"><head>{head}{style}</head><body><main>{"".join(parts)}</main></body></html>'


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<h3>{method.upper()} {escape(path)}</h3>", f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p>"]
    rows = [(f"{each['name']} ({each['in']})", _type(each["schema"]), each.get("description", "")) for each in operation.get("parameters", ())]
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        rows.append(("body", _type(content.get("schema", {})), escape(media)))
    if rows:
        parts.append(_table(("parameter", "form", "meaning"), rows))
    answers = [(status, _shown(answer), answer["description"]) for status, answer in sorted(operation["responses"].items())]
    parts.append(_table(("answer", "form", "meaning"), answers))
    return f"<section>{''.join(parts)}</section>"


def _shown(answer: dict[str, Any]) -> str:
    return ", ".join(_type(content.get("schema", {})) or media for media, content in answer.get("content", {}).items())


def _model(name: str, model: dict[str, Any]) -> str:
    needed = model.get("required", ())
    rows = [
        (f"{field}{'' if field in needed else '?'}", _type(form), form.get("description", "")) for field, form in model.get("properties", {}).items()
    ]
    table = _table(("field", "form", "meaning"), rows) if rows else f"<p>{escape(_type(model))}</p>"
    return f'<section id="{escape(name)}"><h3>{escape(name)}</h3><p>{escape(model.get("description", ""))}</p>{table}</section>'


def _type(form: dict[str, Any]) -> str:
    """Return a schema in a word or two."""
    if reference := form.get("$ref"):
        return str(reference).rpartition("/")[2]
    for word, joint in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if parts := form.get(word):
            return joint.join(_type(part) for part in parts)
    if values := form.get("enum"):
        return " | ".join(str(value) for value in values)
    if "const" in form:
        return str(form["const"])
    if form.get("type") == "array":
        return f"list of {_type(form.get('items', {})) or 'anything'}"
    bounds = [
        f"{sign} {form[name]}" for name, sign in (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "length ≤"), ("pattern", "like")) if name in form
    ]
    kind = str(form.get("format") or form.get("type", ""))
    return f"{kind} ({', '.join(bounds)})" if bounds else kind


def _table(heads: tuple[str, ...], rows: list[tuple[str, str, str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
