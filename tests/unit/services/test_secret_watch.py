"""Secrets in files that change while the process runs."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from voc_stream.security.secret_files import SecretFiles
from voc_stream.security.vault import NoKeyError, Vault
from voc_stream.services.alerts_file import alerts_file
from voc_stream.services.secret_watch import SecretWatch
from voc_stream.settings import Settings, SettingsError, load_settings

KEYS = [f"k{number}:{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2)]


def put(folder: Path, **secrets: str) -> None:
    """Write each as an orchestrator does: whole, in place of the one before."""
    for name, value in secrets.items():
        beside = folder / f".{name}.new"
        beside.write_text(f"{value}\n", encoding="utf-8")
        beside.replace(folder / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path, pii_keys=KEYS[0], pii_key_id="k1", postgres_password="first", oidc_client_secret="old")
    return tmp_path


def watched(folder: Path) -> tuple[SecretWatch, list[Settings]]:
    told: list[Settings] = []
    return SecretWatch(load_settings(secrets_dir=folder), told.append), told


def test_settings_come_from_files_that_are_named_like_them(folder: Path) -> None:
    settings = load_settings(secrets_dir=folder)
    assert settings.postgres_password.get_secret_value() == "first"
    assert list(settings.encryption_keys) == ["k1"]


def test_a_folder_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SECRETS_DIR"):
        load_settings(secrets_dir=tmp_path / "nowhere")


def test_files_that_did_not_change_are_no_news(folder: Path) -> None:
    watch, told = watched(folder)
    assert not watch.look()
    assert told == []


def test_a_changed_secret_is_told_with_all_settings(folder: Path) -> None:
    watch, told = watched(folder)
    put(folder, postgres_password="second")
    assert watch.look()
    assert [each.postgres_password.get_secret_value() for each in told] == ["second"]
    assert told[0].oidc_client_secret.get_secret_value() == "old"
    assert not watch.look()


def test_a_mounted_folder_that_is_swapped_as_a_whole_is_a_change(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"..{number}").mkdir()
        put(tmp_path / f"..{number}", postgres_password=f"p{number}")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "postgres_password").symlink_to("..data/postgres_password")
    watch, told = watched(tmp_path)
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert watch.look()
    assert told[0].postgres_password.get_secret_value() == "p2"


def test_a_new_key_seals_and_the_old_one_still_opens_without_a_restart(folder: Path) -> None:
    settings = load_settings(secrets_dir=folder)
    vault = Vault(settings.encryption_keys, settings.pii_key_id)
    watch = SecretWatch(settings, lambda now: vault.renew(now.encryption_keys, now.pii_key_id))
    before, name = vault.seal("Ann", bound_to=("t",)), vault.reference("Ann", "acme")
    put(folder, pii_keys=",".join(KEYS), pii_key_id="k2")
    assert watch.look()
    assert vault.seal("Ann", bound_to=("t",)).startswith("v1.k2.")
    assert vault.open(before, bound_to=("t",)) == "Ann"
    assert vault.reference("Ann", "acme") == name


async def test_a_key_that_was_missing_is_there_once_its_file_has_it(folder: Path) -> None:
    settings = load_settings(secrets_dir=folder)
    vault = Vault(settings.encryption_keys, settings.pii_key_id)
    both = load_settings(pii_keys=",".join(KEYS), pii_key_id="k2")
    sealed = Vault(both.encryption_keys, both.pii_key_id).seal("Ann", bound_to=("t",))
    with pytest.raises(NoKeyError):
        vault.open(sealed, bound_to=("t",))
    with pytest.raises(NoKeyError):
        await vault.probe()
    put(folder, pii_keys=",".join(KEYS))
    SecretWatch(settings, lambda now: vault.renew(now.encryption_keys, now.pii_key_id)).look()
    vault.renew(both.encryption_keys, both.pii_key_id)
    await vault.probe()
    assert vault.open(sealed, bound_to=("t",)) == "Ann"


@pytest.mark.parametrize("bad", [{"pii_keys": "k1:short"}, {"pii_key_id": "k9"}, {"pii_keys": ""}])
def test_what_cannot_be_used_changes_nothing(folder: Path, bad: dict[str, str]) -> None:
    watch, told = watched(folder)
    put(folder, **bad)
    assert not watch.look()
    assert told == []
    put(folder, pii_keys=",".join(KEYS), pii_key_id="k2")
    assert watch.look()
    assert told[0].pii_key_id == "k2"


def test_a_file_that_is_gone_leaves_what_held_before(folder: Path) -> None:
    watch, told = watched(folder)
    (folder / "postgres_password").unlink()
    assert not watch.look()
    assert all(each.postgres_password.get_secret_value() == "first" for each in told)


def test_a_webhook_s_secret_in_a_file_is_taken_up_when_it_changes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_HOOK", raising=False)
    rules = tmp_path / "alerts.toml"
    rules.write_text('[tenants.acme.webhook]\nurl = "https://hooks.example.com/acme"\nsecret = "env:ACME_HOOK"\n', encoding="utf-8")
    put(folder, ACME_HOOK="0123456789abcdef")
    file = alerts_file(load_settings(secrets_dir=folder, alerts_file=rules))

    def secret() -> bytes:
        webhook = file.current().of("acme").webhook
        assert webhook is not None
        return webhook.secret

    assert secret() == b"0123456789abcdef"
    put(folder, ACME_HOOK="fedcba9876543210")
    assert secret() == b"fedcba9876543210"
    monkeypatch.setenv("ACME_HOOK", "the environment beats files")
    put(folder, ACME_HOOK="0123456789abcdef")
    assert secret() == b"the environment beats files"


def test_only_names_of_settings_are_read_and_nothing_outside_of_the_folder(folder: Path) -> None:
    files = SecretFiles(folder)
    assert sorted(files) == ["oidc_client_secret", "pii_key_id", "pii_keys", "postgres_password"]
    for name in ("../passwd", "a/b", "", ".", "nowhere"):
        with pytest.raises(KeyError):
            files[name]
    assert len(SecretFiles(None)) == len(SecretFiles(folder / "nowhere")) == 0
    (folder / "binary").write_bytes(os.urandom(16) + b"\xff")
    with pytest.raises(KeyError):
        files["binary"]
