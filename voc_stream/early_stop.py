"""Between the program's start and the moment from which Faust listens for signals, a stop is an exit with 0: nothing has begun.

By default SIGTERM would look like a crash, and the first process of a container would not even hear it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import NoReturn


def stop_at_once_until_started(argv: Sequence[str]) -> None:
    """Make SIGTERM and SIGINT end a worker at once, until Faust's own handlers take their place; a command keeps the defaults.

    Args:
        argv: the program's arguments, which tell whether this is a worker.
    """
    if "worker" in argv[1:]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)


def _leave(_number: int, _frame: object) -> NoReturn:
    # Not by an exception: imports, and libraries that catch everything, are on the stack.
    os._exit(0)
