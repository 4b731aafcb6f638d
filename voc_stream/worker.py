"""A worker process: it claims a state folder of its own and, in dev, the next free port, so that a second one just starts."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import socket
import threading
import warnings
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import faust
from faust.exceptions import AlreadyConfiguredWarning

from voc_stream.clients.growth_store import growth_at_start
from voc_stream.logs import get_logger
from voc_stream.runtime.allocator import keep_freed_memory
from voc_stream.runtime.watchdog import Watchdog
from voc_stream.settings import SettingsError

logger = get_logger(__name__)
T = TypeVar("T")

MOST_WORKERS = 64
PORTS_TO_TRY = 100
# A stop that found the group in the middle of a rebalance was seen to hang. The orchestrator's grace is 30 s.
STOP_SECONDS = 26.0
# A window makes tens of thousands of objects that hold no cycles. At Python's default of 700 the collector walks through them again and again
# (a third of the time of decoding 20,000 events, 8 of the 48 µs that an annotated event took).
COLLECT_AFTER = (50_000, 20, 20)


class Worker(faust.Worker):
    """Faust's worker, with a folder that no other worker on this machine uses (two on one RocksDB folder crash)."""

    def __init__(self, app: Any, *args: Any, **kwargs: Any) -> None:
        settings = app.kit.settings
        if not settings.encryption_keys:
            raise SystemExit("voc-stream: PII_KEYS must be set: a worker stores customer data, never in the clear")
        if growth := asked_before_the_loop(growth_at_start(settings)):
            raise SystemExit(f"voc-stream: {growth}")
        try:
            self._lock, app.conf.datadir = claim_folder(settings.state_dir)
            port = free_port(app.conf.web_host, app.conf.web_port) if settings.app_env == "dev" else app.conf.web_port
        except SettingsError as error:
            raise SystemExit(f"voc-stream: {error}") from None
        self._ports = (app.conf.web_port, port)
        if port != app.conf.web_port:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AlreadyConfiguredWarning)  # the line above read it
                app.conf.web_port = port
        super().__init__(app, *args, **kwargs)
        self._watchdog_seconds = settings.watchdog_seconds

    def _schedule_shutdown(self, signal: Any) -> None:
        end_within(STOP_SECONDS)
        super()._schedule_shutdown(signal)

    async def on_first_start(self) -> None:
        """Start as Faust does; what there is to say waits until the logs are configured."""
        collect_seldom()
        keep_freed_memory()
        Watchdog(asyncio.get_running_loop(), self._watchdog_seconds).start()
        await super().on_first_start()
        taken, used = self._ports
        if used != taken:
            logger.warning("OPERATOR_PORT is taken: the next free one is used", taken=taken, used=used)


def asked_before_the_loop(question: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns; Faust's own event loop comes later and stays as it is."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(question)
    finally:
        loop.close()


def end_within(seconds: float) -> None:
    """End the process with 0 if its stop takes longer; work was let go of by then, un-acked, and will be delivered again."""
    timer = threading.Timer(seconds, _end)
    timer.daemon = True
    timer.start()


def _end() -> None:
    logger.error("the stop hangs: the process ends without it", seconds=STOP_SECONDS)
    os._exit(0)


def collect_seldom() -> None:
    """Let the garbage collector look seldom, and never at what was imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def claim_folder(state_dir: Path) -> tuple[int, Path]:
    """Return an open lock and the first folder `worker-N` that no running worker holds.

    Raises:
        SettingsError: STATE_DIR cannot be written, or too many workers run here.
    """
    for number in range(1, MOST_WORKERS + 1):
        folder = state_dir / f"worker-{number}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(f"STATE_DIR {state_dir}: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return lock, folder.resolve()
    raise SettingsError(f"STATE_DIR {state_dir}: {MOST_WORKERS} workers already run from it")


def free_port(host: str, wanted: int) -> int:
    """Return the wanted port, or the next free one.

    Raises:
        SettingsError: none of the next hundred is free.
    """
    for port in range(wanted, min(wanted + PORTS_TO_TRY, 65536)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
        return port
    raise SettingsError(f"OPERATOR_PORT: no free port from {wanted} on")
