"""A schema that gives the agent what the consumer delivered: decoding, and what to do when it fails, belongs to the stage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import faust


class PassThrough(faust.Schema):
    """No decoding: Faust would acknowledge a record that it cannot decode."""

    def compile(self, app: Any, **_kwargs: Any) -> Callable[..., Awaitable[Any]]:
        """Return the function that makes an event of a message."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            del propagate
            return create_event(message.key, message.value, message.headers, message)

        return decode
