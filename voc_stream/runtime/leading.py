"""What only one replica does: the leader, on a timer, while the dependencies that it needs are well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from voc_stream.errors import OutsideError
from voc_stream.runtime.gate import Gate

# How soon a replica notices that it leads now.
NOTICED_SECONDS = 1.0


async def leading(app: Any, gates: Mapping[str, Gate], seconds: float | Callable[[], float], turn: Callable[[], Awaitable[int]], *needs: str) -> None:
    """Take a turn every so many seconds until the app stops; what fails outside closes that dependency's gate.

    Args:
        app: the Faust app.
        gates: of every dependency, by name.
        seconds: between turns, while this replica leads; asked for after each where it varies.
        turn: what to do. Two replicas may do it at once for a moment: it must be safe to.
        needs: the dependencies that must be well.
    """
    while not app.should_stop:
        if app.is_leader() and all(gates[name].is_open for name in needs):
            try:
                await turn()
            except OutsideError as error:
                gates[error.dependency].close(error)
        pause = seconds() if callable(seconds) else seconds
        await asyncio.sleep(pause if app.is_leader() else NOTICED_SECONDS)
