"""Parts of a page that may fail alone: the rest is shown, and in their place a sentence that says so."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from voc_stream.errors import OutsideError
from voc_stream.logs import get_logger

logger = get_logger(__name__)

T = TypeVar("T")


async def piece(answer: Awaitable[T]) -> T | None:
    """Return an answer; None if a server that it needs does not give it."""
    try:
        return await answer
    except OutsideError as error:
        logger.warning("a part of a page cannot be read", dependency=error.dependency, reason=error.reason)
    except TimeoutError:
        logger.warning("a part of a page cannot be read", reason="no answer in time")
    return None
