"""The control socket of a running stack: one line of JSON asks, one line answers. Only this user can reach it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voc_stream.devstack.errors import StackError
from voc_stream.devstack.supervisor import Supervisor

_MAX_LINE = 64 << 10


class ControlServer:
    """Listens in the stack's folder while the supervisor runs."""

    def __init__(self, supervisor: Supervisor, path: Path) -> None:
        self._supervisor = supervisor
        self._path = path
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket left by a killed stack is replaced."""
        self._path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        with _short(self._path) as name:
            listening.bind(name)
        self._path.chmod(0o600)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=_MAX_LINE)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), 5)
            writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
            await asyncio.wait_for(writer.drain(), 5)
        except (TimeoutError, ConnectionError):
            return
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if request["operation"] == "status":
                return {"ok": True, "parts": self._supervisor.status()}
            return {"ok": True, "state": await self._supervisor.control(request["operation"], request["part"])}
        except StackError as error:
            return {"ok": False, "error": str(error)}
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "error": "a request is {operation, part} in JSON"}


def ask(path: Path, operation: str, part: str = "", timeout_seconds: float = 120.0) -> dict[str, Any]:
    """Send one request to the stack whose control socket is given.

    Raises:
        StackError: no stack is running there, or it refused.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection, _short(path) as name:
            connection.settimeout(timeout_seconds)
            connection.connect(name)
            connection.sendall(json.dumps({"operation": operation, "part": part}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                line = lines.readline(_MAX_LINE)
    except (FileNotFoundError, ConnectionError):
        line = b""
    except TimeoutError:
        msg = f"the stack in {path.parent} did not answer within {timeout_seconds:.0f} s"
        raise StackError(msg) from None
    if not line:
        msg = f"no stack is running in {path.parent}"
        raise StackError(msg)
    answer: dict[str, Any] = json.loads(line)
    if not answer["ok"]:
        raise StackError(answer["error"])
    return answer


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of at most 108 bytes for a socket in a folder however deep."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
