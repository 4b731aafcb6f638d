"""The stack's folder: endpoints, credentials, the lock."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from voc_stream.devstack.errors import StackError
from voc_stream.devstack.folder import StackFolder, kafka_cluster_id, read_endpoints
from voc_stream.settings import load_settings


@pytest.fixture
def folder(tmp_path: Path) -> StackFolder:
    made = StackFolder(tmp_path / "stack")
    made.create()
    return made


def test_endpoints_are_private_and_read_back(folder: StackFolder) -> None:
    folder.write_endpoints({"S3_ENDPOINT_URL": "http://127.0.0.1:9000", "PII_KEYS": "dev:aGk="})
    assert stat.S_IMODE(folder.endpoints_file.stat().st_mode) == 0o600
    assert read_endpoints(folder.endpoints_file) == {"S3_ENDPOINT_URL": "http://127.0.0.1:9000", "PII_KEYS": "dev:aGk="}


def test_endpoints_are_what_the_settings_read(folder: StackFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    key = folder.secrets()["pii_key"]
    folder.write_endpoints({"PII_KEYS": f"dev:{key}", "PII_KEY_ID": "dev", "CLICKHOUSE_PORT": "20123"})
    monkeypatch.setenv("STACK_DIR", str(folder.root))
    settings = load_settings()
    assert settings.encryption_keys == {"dev": base64.b64decode(key)}
    assert settings.clickhouse_port == 20123


def test_writing_endpoints_leaves_no_draft(folder: StackFolder) -> None:
    before = set(folder.root.iterdir())
    folder.write_endpoints({"A": "1"})
    assert set(folder.root.iterdir()) - before == {folder.endpoints_file}


@pytest.mark.parametrize("value", ["two words", "a\nB=1", "a#b", "it's", "$HOME"])
def test_a_value_that_dotenv_would_change_is_refused(folder: StackFolder, value: str) -> None:
    with pytest.raises(ValueError, match="AVAYA_PASSWORD"):
        folder.write_endpoints({"AVAYA_PASSWORD": value})


def test_credentials_are_random_and_survive_a_restart(folder: StackFolder, tmp_path: Path) -> None:
    other = StackFolder(tmp_path / "other")
    other.create()
    first = folder.secrets()
    assert StackFolder(folder.root).secrets() == first
    assert not set(first.values()) & set(other.secrets().values())


def test_a_second_stack_in_the_folder_is_refused_with_the_pid_of_the_first(folder: StackFolder) -> None:
    folder.lock()
    with pytest.raises(StackError, match=rf"is already running \(pid {os.getpid()}\)"):
        StackFolder(folder.root).lock()
    folder.unlock()
    StackFolder(folder.root).lock()


def test_a_running_stack_is_not_removed(folder: StackFolder) -> None:
    folder.lock()
    with pytest.raises(StackError, match="already running"):
        StackFolder(folder.root).remove()
    assert folder.root.exists()


def test_removing_takes_what_lies_elsewhere_along(folder: StackFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.note_elsewhere(elsewhere)
    folder.lock()
    folder.unlock()
    assert folder.remove()
    assert not folder.root.exists()
    assert not elsewhere.exists()
    assert not folder.remove()


def test_a_folder_that_is_no_stack_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StackError, match="not the folder of a stack"):
        StackFolder(tmp_path).remove()
    assert (tmp_path / "thesis.txt").exists()


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    ids = [kafka_cluster_id() for _ in range(3000)]
    assert not [cluster_id for cluster_id in ids if cluster_id.startswith("-")]
    assert {len(cluster_id) for cluster_id in ids} == {22}
