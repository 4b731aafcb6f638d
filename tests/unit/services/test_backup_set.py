"""A backup's folder: whole or no backup, and unaltered or refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from voc_stream.clients.table_dump import Content, Table
from voc_stream.errors import RejectedError
from voc_stream.services.backup_set import MANIFEST, Manifest, Offset, Rows, described, new_folder, read_manifest, refuse_damaged, write_manifest

AT = datetime(2026, 11, 22, 3, tzinfo=UTC)


def made(folder: Path) -> Manifest:
    path = folder / "clickhouse" / "voc_events.00000.native.zst"
    path.parent.mkdir()
    path.write_bytes(b"rows")
    manifest = Manifest(
        begun_at=AT,
        ended_at=AT,
        group="voc",
        incarnation="1",
        offsets=(Offset("voc", "voc.calls", 3, 17),),
        postgres_migrations=("202611220630_calls",),
        postgres_rows={"call": 3},
        clickhouse_database="voc",
        clickhouse_migrations=("0001_call_scores",),
        tables=(Table("voc_events", "MergeTree", "CREATE TABLE voc.voc_events"),),
        rows=(Rows("voc_events", Content(4, "18446744073709551615"), ("clickhouse/voc_events.00000.native.zst",)),),
        files=described(folder, [path]),
    )
    write_manifest(folder, manifest)
    return manifest


def test_what_is_written_is_read(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    assert read_manifest(tmp_path) == manifest
    assert manifest.size == 4
    refuse_damaged(tmp_path, manifest)


@pytest.mark.parametrize("content", [b"rowz", b"row", None])
def test_a_file_that_is_not_what_was_written_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    manifest = made(tmp_path)
    path = tmp_path / manifest.files[0].name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(RejectedError, match=r"voc_events\.00000\.native\.zst is (damaged|missing)"):
        refuse_damaged(tmp_path, manifest)


def test_a_folder_without_its_manifest_or_with_one_of_another_release_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match="it is no backup, or one that did not end"):
        read_manifest(tmp_path)
    manifest = made(tmp_path)
    write_manifest(tmp_path, msgspec.structs.replace(manifest, format=2))
    with pytest.raises(RejectedError, match="has the format 2"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(RejectedError, match="cannot be read"):
        read_manifest(tmp_path)


def test_a_backup_has_a_folder_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "backups" / "today"
    new_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    made(folder)
    with pytest.raises(RejectedError, match="is not empty"):
        new_folder(folder)
