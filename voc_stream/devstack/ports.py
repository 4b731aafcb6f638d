"""Which port each part listens on: the documented one, or another free one when that is taken."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterable, Mapping

DEFAULT_PORTS: Mapping[str, int] = {
    "kafka": 9092,
    "kafka-controller": 9093,
    "postgres": 5432,
    "s3": 9000,
    "clickhouse": 8123,
    "recorder": 8081,
    "scoring": 8090,
}

# Below Linux's ephemeral range (32768 and up): a port of that range may become the source port of some client while its part is down.
_FALLBACK = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether 127.0.0.1:port can be listened on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose(
    names: Iterable[str],
    say: Callable[[str], None],
    *,
    prefer_defaults: bool = True,
    free: Callable[[int], bool] = is_free,
) -> dict[str, int]:
    """A free port for each name, no two alike; one that differs from the documented port is said aloud.

    ``prefer_defaults=False`` takes free ones at once and is silent about it (tests beside a running stack).
    """
    chosen: dict[str, int] = {}
    for name in names:
        default = DEFAULT_PORTS[name]
        if prefer_defaults and default not in chosen.values() and free(default):
            chosen[name] = default
            continue
        chosen[name] = _another({*chosen.values(), *DEFAULT_PORTS.values()}, free)
        if prefer_defaults:
            say(f"{name:<11} port {default} is taken: using {chosen[name]}")
    return chosen


def _another(taken: set[int], free: Callable[[int], bool]) -> int:
    start = random.randrange(len(_FALLBACK))
    for step in range(len(_FALLBACK)):
        port = _FALLBACK[(start + step) % len(_FALLBACK)]
        if port not in taken and free(port):
            return port
    msg = f"no free port between {_FALLBACK.start} and {_FALLBACK.stop}"
    raise OSError(msg)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    return next(port for port in random.sample(_FALLBACK, len(_FALLBACK)) if is_free(port))
