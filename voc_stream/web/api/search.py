"""`GET /search`: words in a tenant's transcripts (spec section 4, docs/api.md). Snippets are parts of transcripts, so searches are audited."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from voc_stream.errors import TransientError
from voc_stream.services.cursors import CursorError
from voc_stream.services.reading_answers import SearchPage
from voc_stream.services.reading_search import MOST, SearchAsked
from voc_stream.stages.searching import MOST_CHARACTERS
from voc_stream.web.api.here import AgentId, AtReadings, Cursor, Moment, OfTenant
from voc_stream.web.problems import NotFound, Problem
from voc_stream.web.who import Reader, audit

router = APIRouter(tags=["search"])


class SearchQuestion(OfTenant):
    """What is looked for."""

    q: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS, pattern=r"^[^\x00-\x1f\x7f]+$")]
    """Words, and phrases in double quotes; all must be there."""
    since: Moment | None = None
    """Said then or later."""
    until: Moment | None = None
    """Said before."""
    agent_id: AgentId | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = 20
    """Transcripts of a page."""
    cursor: Cursor | None = None
    """`next` of the page before, with the same question."""


@router.get("/search", summary="Search transcripts")
async def search(request: Request, caller: Reader, readings: AtReadings, asked: Annotated[SearchQuestion, Query()]) -> SearchPage:
    """Return the transcripts in which everything that is looked for is, the newest first, each with the turns that it is in.

    Snippets are plain text in parts; those with `hit` are to be marked.
    """
    tenant = caller.tenant(asked.tenant_id)
    given = asked.model_dump(exclude={"tenant_id", "q"})
    try:
        found = await readings.search.page(tenant, SearchAsked(text=asked.q, **given))
    except CursorError as error:
        raise NotFound(str(error)) from None
    except ValueError as error:
        raise Problem(422, str(error)) from None
    except TransientError:
        raise Problem(503, "the search took too long: look for rarer words, or in a shorter time", retry_after=1) from None
    # Not what was looked for: it may be somebody's name.
    details = {"words": len(found.words), "found": len(found.hits)}
    await audit(request, caller, "transcripts searched", details, subject="transcripts", tenant=tenant)
    return found
