"""The one folder of a stack: data, logs, credentials, the endpoints file, and the lock that keeps a second stack out."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from voc_stream.devstack.errors import StackError

_ELSEWHERE = "elsewhere.json"


class StackFolder:
    """Paths and small files of the folder ``root``."""

    def __init__(self, root: Path) -> None:
        self.given = root
        self.root = root.absolute()
        self.endpoints_file = self.root / "endpoints.env"
        self.logs = self.root / "logs"
        self.control_socket = self.root / "control.sock"
        self._lock_file = self.root / "lock"
        self._lock: TextIO | None = None

    def create(self) -> None:
        """Make the folder; others may pass through it (PostgreSQL runs as ``nobody`` under root) but not list it."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    def log(self, part: str) -> Path:
        """The log file of a part."""
        return self.logs / f"{part}.log"

    def lock(self) -> None:
        """Hold the folder until this process ends.

        Raises:
            StackError: another stack holds it; the message names its pid.
        """
        file = self._lock_file.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid = file.read().strip()
            file.close()
            msg = f"the stack in {self.given} is already running (pid {pid})"
            raise StackError(msg) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._lock = file

    def unlock(self) -> None:
        """Let the folder go."""
        if self._lock:
            self._lock.close()
            self._lock = None

    def secrets(self) -> dict[str, str]:
        """Random credentials, made once and kept, so that kept data stays readable after a restart."""
        path = self.root / "secrets.json"
        kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        fresh = _fresh_secrets()
        if fresh.keys() - kept.keys():
            kept = {**fresh, **kept}
            _write_private(path, json.dumps(kept, indent=1))
        return kept

    def write_endpoints(self, endpoints: Mapping[str, str]) -> None:
        """Replace the endpoints file in one step (dotenv, mode 0600).

        Raises:
            ValueError: a value that dotenv would read differently.
        """
        for name, value in endpoints.items():
            if any(character in value for character in "\n\r'\"#$\\ "):
                msg = f"{name} holds a character that does not survive a dotenv file"
                raise ValueError(msg)
        _write_private(self.endpoints_file, "".join(f"{name}={value}\n" for name, value in sorted(endpoints.items())))

    def remove_endpoints(self) -> None:
        """The stack is gone: nobody shall find its addresses."""
        self.endpoints_file.unlink(missing_ok=True)

    def note_elsewhere(self, path: Path) -> None:
        """Remember a folder outside this one, for :meth:`remove`."""
        known = {*self.elsewhere(), str(path)}
        _write_private(self.root / _ELSEWHERE, json.dumps(sorted(known)))

    def elsewhere(self) -> list[str]:
        """Folders outside this one that belong to it."""
        path = self.root / _ELSEWHERE
        return list(json.loads(path.read_text())) if path.exists() else []

    def remove(self) -> bool:
        """Delete the folder and what belongs to it elsewhere; False if there is none.

        Raises:
            StackError: a stack is running in it, or it is no stack's folder.
        """
        if not self.root.exists():
            return False
        if not self._lock_file.exists() and any(self.root.iterdir()):
            msg = f"{self.given} is not the folder of a stack: nothing removed"
            raise StackError(msg)
        self.lock()
        try:
            for path in (*self.elsewhere(), str(self.root)):
                shutil.rmtree(path, ignore_errors=path != str(self.root))
        finally:
            self.unlock()
        return True


def read_endpoints(path: Path) -> dict[str, str]:
    """The pairs of an endpoints file; empty when there is none."""
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text().splitlines() if "=" in line)
    return {name: value for name, _, value in pairs}


def _fresh_secrets() -> dict[str, str]:
    return {
        "postgres_admin": secrets.token_urlsafe(24),
        "postgres": secrets.token_urlsafe(24),
        "clickhouse": secrets.token_urlsafe(24),
        "s3_key_id": "DEV" + secrets.token_hex(8).upper(),
        "s3_secret": secrets.token_urlsafe(30),
        "recorder": secrets.token_urlsafe(24),
        "scoring": secrets.token_urlsafe(24),
        "pii_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        "kafka_cluster": kafka_cluster_id(),
    }


def kafka_cluster_id() -> str:
    """16 random bytes as Kafka writes them. Never with a dash in front: its command line would take that for an option."""
    first = secrets.randbelow(0xF8)  # the six highest bits make the first letter; 62 is the dash
    return base64.urlsafe_b64encode(bytes([first]) + secrets.token_bytes(15)).decode().rstrip("=")


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
