"""Dead letters for the operator: list, groups, one with its original, discard (`/dlq`, spec section 4, docs/dead-letters.md)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable
from typing import Any

from aiohttp import hdrs, web

from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import describe
from voc_stream.errors import OutsideError, RejectedError
from voc_stream.kit import App, Kit, Page
from voc_stream.runtime.letter_reading import StoredLetter
from voc_stream.settings import Settings
from voc_stream.web.access import OPERATOR, operator
from voc_stream.web.letter_question import asked_in_body, asked_in_query

# A reader gave up by then.
ANSWER_SECONDS = 10.0


def attach(app: App, kit: Kit) -> None:
    """Add the routes once Faust has made its web server."""
    app.pages |= pages(DeadLetters(kit.db, kit.vault), kit.settings)


def pages(letters: DeadLetters, settings: Settings) -> dict[tuple[str, str], Page]:
    """Return the pages by method and path.

    Args:
        letters: the store.
        settings: OPERATOR_TOKEN; who knows it may see and do all of it.
    """

    async def found(request: web.Request) -> web.StreamResponse:
        """Letters without their originals, newest first; `next` is the `after` of the next page."""
        asked = asked_in_query(request)
        rows = await answered(letters.find(asked.where, asked.limit, asked.after))
        return web.json_response({"letters": [describe(row) for row in rows], "next": rows[-1].id if len(rows) == asked.limit else None})

    async def groups(request: web.Request) -> web.StreamResponse:
        """The same failures together."""
        asked = asked_in_query(request)
        return web.json_response({"groups": [describe(group) for group in await answered(letters.groups(asked.where, asked.limit))]})

    async def shown(request: web.Request) -> web.StreamResponse:
        """One letter with its original; the audit log says that it was shown."""
        letter = await answered(letters.show(int(request.match_info["letter_id"]), OPERATOR))
        if letter is None:
            raise web.HTTPNotFound(text="no such letter\n")
        return web.json_response(describe_whole(letter))

    async def discard(request: web.Request) -> web.StreamResponse:
        """Mark open letters as discarded."""
        asked = await asked_in_body(request)
        return web.json_response({"discarded": await answered(letters.discard(asked.where, asked.limit, OPERATOR))})

    return {
        ("GET", "/dlq"): operator(settings, found),
        ("GET", "/dlq/groups"): operator(settings, groups),
        ("GET", "/dlq/{letter_id:[0-9]{1,18}}"): operator(settings, shown),
        ("POST", "/dlq/discard"): operator(settings, discard),
    }


async def answered(answer: Awaitable[Any]) -> Any:
    """Wait for what PostgreSQL says, and not for long.

    Raises:
        web.HTTPServiceUnavailable: it does not answer.
        web.HTTPBadRequest: it cannot understand what was asked.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer
    except RejectedError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None
    except (OutsideError, TimeoutError) as error:
        reason = str(error) or f"no answer within {ANSWER_SECONDS:g} s"
        raise web.HTTPServiceUnavailable(text=f"{reason}\n", headers={hdrs.RETRY_AFTER: "5"}) from None


def describe_whole(letter: StoredLetter) -> dict[str, Any]:
    """Return a letter for JSON, bytes as `{"text": …}` where they are UTF-8, else as `{"base64": …}`."""
    why = {
        name: getattr(letter, name)
        for name in (
            "id", "state", "topic", "partition", "offset", "dlq_topic", "dlq_partition", "dlq_offset", "stage", "tenant_id", "call_id", "error_type",
            "reason", "stack", "fingerprint", "retries", "requeues", "requeued_from", "cut_from",
        )
    }  # fmt: skip
    times = {name: getattr(letter, name).isoformat() for name in ("first_failed_at", "last_failed_at", "written_at")}
    original = {"key": _bytes(letter.key), "value": _bytes(letter.value), "headers": [[name, _bytes(value)] for name, value in letter.headers]}
    return why | times | original


def _bytes(data: bytes | None) -> dict[str, str] | None:
    if data is None:
        return None
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
