"""``up``: one stack from its folder's lock to its last process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voc_stream.devstack import ports
from voc_stream.devstack.control import ControlServer
from voc_stream.devstack.folder import StackFolder
from voc_stream.devstack.parts import PARTS
from voc_stream.devstack.parts.base import Part, Site
from voc_stream.devstack.setup import SERVERS, set_up
from voc_stream.devstack.supervisor import Supervisor


@dataclass(frozen=True)
class Plan:
    """What to start and where. ``attached`` stops the stack when its standard input closes, that is when its starter is gone.

    ``setup`` makes topics, schemas and the bucket when all four servers are among the parts.
    """

    folder: Path
    parts: Sequence[str] = tuple(PARTS)
    prefer_default_ports: bool = True
    recorder_args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    attached: bool = False
    setup: bool = True


async def run(plan: Plan, say: Callable[[str], None]) -> None:
    """Start the stack, keep it until a signal says stop, and leave no process.

    Raises:
        StackError: it is running already, or a part did not get ready.
    """
    started = time.monotonic()
    stop = _stop_event(attached=plan.attached)
    folder = StackFolder(plan.folder)
    folder.create()
    folder.lock()
    folder.remove_endpoints()
    supervisor = Supervisor(_build(plan, folder, say), say)
    control = ControlServer(supervisor, folder.control_socket)
    starting = asyncio.create_task(supervisor.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            say("stopping before all was ready")
            return
        await starting
        endpoints = supervisor.endpoints() | _shared_endpoints(folder)
        if plan.setup and set(plan.parts) >= SERVERS:
            await set_up(folder, endpoints, say)
        await control.start()
        folder.write_endpoints(endpoints)
        say(f"stack ready in {time.monotonic() - started:.1f} s; addresses in {plan.folder / 'endpoints.env'}; Ctrl-C stops it")
        await stopping
        say("stopping")
    finally:
        starting.cancel()
        stopping.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        folder.remove_endpoints()
        await control.stop()
        await supervisor.stop()
        folder.unlock()


def _build(plan: Plan, folder: StackFolder, say: Callable[[str], None]) -> list[Part]:
    classes = [PARTS[name] for name in plan.parts]
    names = [port for part in classes for port in part.port_names]
    chosen = ports.choose(names, say, prefer_defaults=plan.prefer_default_ports)
    site = Site(folder, folder.secrets(), chosen, say, plan.recorder_args, plan.env)
    for part in classes:
        folder.log(part.name).write_bytes(b"")
    return [part(site) for part in classes]


def _shared_endpoints(folder: StackFolder) -> dict[str, str]:
    return {"PII_KEYS": f"dev:{folder.secrets()['pii_key']}", "PII_KEY_ID": "dev"}


def _stop_event(*, attached: bool) -> asyncio.Event:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    if attached:
        loop.add_reader(sys.stdin.fileno(), _on_input, stop)
    return stop


def _on_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
