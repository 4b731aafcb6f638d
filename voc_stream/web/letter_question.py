"""Which dead letters a request is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web

from voc_stream.clients.letter_rows import LetterFilter, State

MOST = 500
PAGE = 50

_Word = Annotated[str, msgspec.Meta(min_length=1, max_length=249)]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]
_Id = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]


class _Question(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    ids: Annotated[list[_Id], msgspec.Meta(max_length=MOST)] = []
    fingerprint: _Word | None = None
    topic: _Word | None = None
    stage: _Word | None = None
    tenant_id: _Word | None = None
    since: _Time | None = None
    until: _Time | None = None
    state: State | None = None
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    after: _Id | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.

    Attributes:
        where: which letters.
        limit: how many at most.
        after: the last one that is known already.
    """

    where: LetterFilter
    limit: int
    after: int | None


def asked_in_query(request: web.Request) -> Asked:
    """Return what a query string asks for: `id` (may be repeated), fingerprint, topic, stage, tenant_id, since, until, state, limit, after.

    Raises:
        web.HTTPBadRequest: it has a parameter that there is not, or a bad value.
    """
    given: dict[str, object] = {name: value for name, value in request.query.items() if name != "id"}
    if ids := request.query.getall("id", []):
        given["ids"] = ids
    try:
        return _asked(msgspec.convert(given, _Question, strict=False))
    except msgspec.ValidationError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None


async def asked_in_body(request: web.Request, *, usual: int = PAGE, most: int = MOST) -> Asked:
    """Return what a JSON body asks for: the same fields, with `ids`. It must choose: nothing is done to all letters by mistake.

    Args:
        request: with the body.
        usual: the limit where none is given.
        most: the highest limit.

    Raises:
        web.HTTPBadRequest: it is no JSON, has a field that there is not, a bad value, or names nothing.
    """
    try:
        asked = _asked(msgspec.json.decode(await request.read(), type=_Question), usual, most)
    except (msgspec.DecodeError, RecursionError) as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None
    if not asked.where.chooses:
        raise web.HTTPBadRequest(text="say which: ids, fingerprint, topic, stage, tenant_id, since or until\n")
    return asked


def _asked(question: _Question, usual: int = PAGE, most: int = MOST) -> Asked:
    limit = usual if question.limit is None else question.limit
    if limit > most:
        raise msgspec.ValidationError(f"limit: at most {most}")
    where = LetterFilter(
        ids=tuple(question.ids),
        fingerprint=question.fingerprint,
        topic=question.topic,
        stage=question.stage,
        tenant_id=question.tenant_id,
        since=question.since,
        until=question.until,
        state=question.state,
    )
    return Asked(where, limit, question.after)
