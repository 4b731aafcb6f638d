"""A worker process claims a folder and a port of its own, so that a second one just starts."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from voc_stream.settings import SettingsError
from voc_stream.worker import COLLECT_AFTER, MOST_WORKERS, claim_folder, collect_seldom, free_port

HOST = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_workers_side_by_side_have_folders_of_their_own(tmp_path: Path) -> None:
    claims = [claim_folder(tmp_path) for _ in range(3)]

    assert [folder.name for _, folder in claims] == ["worker-1", "worker-2", "worker-3"]
    for lock, _ in claims:
        os.close(lock)


def test_a_folder_is_free_again_when_its_worker_ended(tmp_path: Path) -> None:
    first, _ = claim_folder(tmp_path)
    second, _ = claim_folder(tmp_path)
    os.close(first)
    third, folder = claim_folder(tmp_path)

    assert folder.name == "worker-1"
    os.close(second)
    os.close(third)


def test_a_folder_that_cannot_be_made_is_one_line_that_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="STATE_DIR"):
        claim_folder(tmp_path / "file")


def test_too_many_workers_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voc_stream.worker.MOST_WORKERS", 1)
    lock, _ = claim_folder(tmp_path)
    with pytest.raises(SettingsError, match="STATE_DIR"):
        claim_folder(tmp_path)

    os.close(lock)
    assert MOST_WORKERS > 1


def test_a_taken_port_gives_the_next_free_one(taken: int) -> None:
    port = free_port(HOST, taken)

    assert port > taken


def test_a_free_port_is_used_as_wanted(taken: int) -> None:
    free = free_port(HOST, taken)

    assert free_port(HOST, free) == free


def test_without_any_free_port_it_is_one_line_that_names_the_setting(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voc_stream.worker.PORTS_TO_TRY", 1)
    with pytest.raises(SettingsError, match="OPERATOR_PORT"):
        free_port(HOST, taken)


def test_the_garbage_collector_looks_seldom_and_not_at_what_was_there_before() -> None:
    before = gc.get_threshold()
    try:
        collect_seldom()

        assert gc.get_threshold() == COLLECT_AFTER
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
