"""A backup's folder: what is in it, of when, and whether it still is what was written (docs/backup-and-restore.md)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec

from voc_stream.clients.table_dump import Content, Table
from voc_stream.errors import RejectedError

MANIFEST = "manifest.json"
FORMAT = 1
_AT_ONCE = 1 << 20


class File(msgspec.Struct, frozen=True):
    """A file, by its path within the folder."""

    name: str
    bytes: int
    sha256: str


class Rows(msgspec.Struct, frozen=True):
    """The files of a table of ClickHouse."""

    table: str
    content: Content
    files: tuple[str, ...]


class Offset(msgspec.Struct, frozen=True):
    """Where a group stood before the databases were read."""

    group: str
    topic: str
    partition: int
    offset: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds; it is written last, so that a folder without one is no backup.

    Attributes:
        format: of this file.
        begun_at: before anything was read.
        ended_at: when the last file was complete.
        group: of the workers.
        incarnation: KAFKA_INCARNATION.
        offsets: for people; `rewind` asks the restored databases.
        postgres_migrations: as they were applied.
        postgres_rows: by table.
        clickhouse_database: its name, which tables know.
        clickhouse_migrations: as they were applied.
        tables: of ClickHouse, in the order in which they are made.
        rows: of those that have some.
        files: all of them, with digests.
    """

    format: int = FORMAT
    begun_at: datetime
    ended_at: datetime
    group: str
    incarnation: str
    offsets: tuple[Offset, ...]
    postgres_migrations: tuple[str, ...]
    postgres_rows: dict[str, int]
    clickhouse_database: str
    clickhouse_migrations: tuple[str, ...]
    tables: tuple[Table, ...]
    rows: tuple[Rows, ...]
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(file.bytes for file in self.files)


def new_folder(folder: Path) -> None:
    """Make the folder, for our eyes only.

    Raises:
        RejectedError: there is something in it already, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise RejectedError("backup", f"{folder} cannot be made ({error.strerror})") from error
    if taken:
        raise RejectedError("backup", f"{folder} is not empty: each backup has a folder of its own")


def described(folder: Path, paths: Iterable[Path]) -> tuple[File, ...]:
    """Return what the manifest says of these files; it reads all of them."""
    return tuple(File(str(path.relative_to(folder)), path.stat().st_size, _sha256(path)) for path in paths)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it, whole or not at all."""
    half = folder / f"{MANIFEST}.half"
    half.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    with half.open("rb") as written:
        os.fsync(written.fileno())
    half.rename(folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest:
    """Return what a folder holds.

    Raises:
        RejectedError: it is no backup of ours, or not a whole one.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except OSError:
        raise RejectedError("backup", f"{folder} has no {MANIFEST}: it is no backup, or one that did not end") from None
    except msgspec.MsgspecError as error:
        raise RejectedError("backup", f"{folder / MANIFEST} cannot be read ({error})") from None
    if manifest.format != FORMAT:
        raise RejectedError("backup", f"{folder} has the format {manifest.format}, this release reads {FORMAT}")
    return manifest


def refuse_damaged(folder: Path, manifest: Manifest) -> None:
    """Read every file of a backup.

    Raises:
        RejectedError: one is missing, or not what was written.
    """
    for file in manifest.files:
        path = folder / file.name
        if not path.is_file():
            raise RejectedError("backup", f"{path} is missing")
        if path.stat().st_size != file.bytes or _sha256(path) != file.sha256:
            raise RejectedError("backup", f"{path} is damaged: it is not what was written")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_AT_ONCE):
            digest.update(chunk)
    return digest.hexdigest()
