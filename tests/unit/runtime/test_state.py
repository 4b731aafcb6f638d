"""RocksDB below our tables: what is damaged is made anew, a full disk is waited for, and nothing else is guessed."""

from __future__ import annotations

import asyncio
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.stores import rocksdb
from faust.types import TP

from tests.unit.runtime.world import record
from voc_stream.errors import OutageError
from voc_stream.runtime.state import StateError, Store

CHANGELOG = TP("app-table-changelog", 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "table-0.db"


def made(folder: Path) -> Store:
    """A table's store as a worker that starts has it."""
    conf = SimpleNamespace(table_key_index_size=10, tabledir=folder.parent)
    app: Any = SimpleNamespace(conf=conf, consumer_generation_id=1, should_stop=False)
    table: Any = SimpleNamespace(name="table", is_global=False, use_partitioner=False)
    return Store("rocksdb://", app, table, options={"driver": "rocksdict", "write_buffer_size": 64 << 10, "block_cache_size": 1 << 20})


def filled(folder: Path, rows: int = 3000) -> None:
    """Leave a folder with so many rows in files."""
    store = made(folder)
    with store.guarded(0) as opened:
        for number in range(rows):
            opened.put(b"%08d" % number, bytes(100))
        store.set_persisted_offset(CHANGELOG, rows)
        opened.flush()
        opened.close()


def lose_current(folder: Path) -> None:
    (folder / "CURRENT").unlink()


def lose_manifest(folder: Path) -> None:
    next(folder.glob("MANIFEST-*")).unlink()


def garble_manifest(folder: Path) -> None:
    next(folder.glob("MANIFEST-*")).write_bytes(b"garbage" * 10)


def lose_rows(folder: Path) -> None:
    next(folder.glob("*.sst")).unlink()


def lose_all(folder: Path) -> None:
    shutil.rmtree(folder)


def garble_rows(folder: Path) -> None:
    for file in folder.glob("*.sst"):
        content = bytearray(file.read_bytes())
        content[100:300] = bytes(200)
        file.write_bytes(content)


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Let no file grow: the system says so as it does of a full disk or a quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    largest = max((file.stat().st_size for file in folder.glob("*.log")), default=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 10, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_folder_that_is_not_there_is_an_empty_table(folder: Path) -> None:
    store = made(folder)

    assert store.persisted_offset(CHANGELOG) is None
    assert (store.rows(), store.octets() >= 0) == (0, True)


def test_what_is_restored_is_there_after_a_restart_and_how_far_the_changelog_was_read(folder: Path) -> None:
    store = made(folder)
    store.restore(CHANGELOG, [record(4, b"1", key=b"a"), record(5, b"2", key=b"b")])
    store.restore(CHANGELOG, [replace(record(6, key=b"a"), value=None)])
    with store.guarded(0) as rows:
        rows.close()

    store = made(folder)
    assert store.persisted_offset(CHANGELOG) == 6
    with store.guarded(0) as rows:
        assert (rows.get(b"a"), rows.get(b"b")) == (None, b"2")


@pytest.mark.parametrize("damage", [lose_current, lose_manifest, garble_manifest, lose_rows, lose_all])
def test_a_folder_that_cannot_be_opened_is_an_empty_table_so_that_all_of_the_changelog_is_read(folder: Path, damage: Callable[[Path], None]) -> None:
    filled(folder)
    damage(folder)

    store = made(folder)
    assert store.persisted_offset(CHANGELOG) is None
    store.restore(CHANGELOG, [record(0, b"1", key=b"a")])
    with store.guarded(0) as rows:
        assert rows.get(b"a") == b"1"


def test_rows_that_cannot_be_read_end_the_worker_with_one_line_and_are_made_anew_at_its_next_start(folder: Path) -> None:
    filled(folder)
    garble_rows(folder)
    store = made(folder)
    with (
        pytest.raises(StateError, match=r"table-0\.db cannot be used \(Corruption: .*made anew from the changelog") as caught,
        store.guarded(0) as rows,
    ):
        rows.get(b"%08d" % 0)
    assert "\n" not in str(caught.value)
    store._dbs.pop(0).close()

    store = made(folder)
    assert store.persisted_offset(CHANGELOG) is None
    assert not folder.with_name("table-0.db.damaged").exists()


def test_a_folder_that_is_deleted_below_a_running_worker_ends_it_and_is_made_anew(folder: Path) -> None:
    store = made(folder)
    store.restore(CHANGELOG, [record(0, b"1", key=b"a")])
    lose_all(folder)
    with pytest.raises(StateError), store.guarded(0) as rows:
        rows.flush()
    store._close(0)

    assert made(folder).persisted_offset(CHANGELOG) is None


def test_on_a_full_disk_a_write_is_an_outage_and_with_room_it_succeeds_without_a_restart(folder: Path) -> None:
    store = made(folder)
    store.restore(CHANGELOG, [record(0, b"1", key=b"a")])
    for _ in range(2):
        with full_disk(folder), pytest.raises(OutageError, match="state: no space is left below STATE_DIR"):
            store.restore(CHANGELOG, [record(1, bytes(5000), key=b"b")])

    store.restore(CHANGELOG, [record(1, b"2", key=b"b")])
    with store.guarded(0) as rows:
        assert (rows.get(b"a"), rows.get(b"b")) == (b"1", b"2")
    assert store.persisted_offset(CHANGELOG) == 1


@pytest.mark.parametrize("reason", ["Permission denied", "Read-only file system", "Too many open files"])
def test_what_a_new_folder_would_not_mend_is_refused_and_nothing_is_thrown_away(folder: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    filled(folder)

    def refuses(*_: Any) -> None:
        msg = f"IO error: While opening {folder}: {reason}"
        raise Exception(msg)  # noqa: TRY002 - as RocksDB does

    with monkeypatch.context() as patched:
        patched.setattr(rocksdb.Store, "_open_for_partition", refuses)
        with pytest.raises(StateError, match=reason):
            made(folder).persisted_offset(CHANGELOG)

    assert made(folder).persisted_offset(CHANGELOG) == 3000


def test_an_error_of_ours_is_not_taken_for_one_of_rocksdb(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), made(folder).guarded(0):
        raise ZeroDivisionError


async def test_a_partition_that_is_assigned_while_the_disk_is_full_is_opened_when_there_is_room(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made(folder)
    asked = asyncio.Event()
    opens = rocksdb.Store._open_for_partition

    def full(*_: Any) -> None:
        msg = "IO error: No space left on device: While opening"
        raise Exception(msg)  # noqa: TRY002

    async def sleep(_seconds: float) -> None:
        asked.set()
        monkeypatch.setattr(rocksdb.Store, "_open_for_partition", opens)
        await asyncio.sleep(0)

    monkeypatch.setattr(rocksdb.Store, "_open_for_partition", full)
    monkeypatch.setattr(store, "sleep", sleep)
    assert await store._try_open_db_for_partition(0, generation_id=1) is not None
    assert asked.is_set()
