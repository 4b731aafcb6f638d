"""The tenants file is read again when it changes, and a broken one never takes the place of a good one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from voc_stream.services.reloaded import FileError
from voc_stream.services.tenants_file import TenantsFile


def write(path: Path, text: str) -> None:
    """Write with a new time of change, however fast it goes."""
    changed = path.stat().st_mtime_ns + 1_000_000 if path.exists() else None
    path.write_text(text, encoding="utf-8")
    if changed is not None:
        os.utime(path, ns=(changed, changed))


def mapped(tenants: TenantsFile) -> str:
    return tenants.current().tenant_of("acme-support", "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "tenants.toml"
    write(file, '[services]\n"acme-*" = "acme"\n')
    return file


def test_without_a_file_every_call_is_unassigned() -> None:
    assert mapped(TenantsFile(None)) == "unassigned"


def test_a_change_is_read(path: Path) -> None:
    tenants = TenantsFile(path)
    assert mapped(tenants) == "acme"
    write(path, '[services]\n"acme-*" = "globex"\n')

    assert mapped(tenants) == "globex"


@pytest.mark.parametrize("broken", ["[services", "services = 'acme'", "[services]\nx = 7"])
def test_a_broken_file_is_ignored_until_it_is_mended(path: Path, broken: str) -> None:
    tenants = TenantsFile(path)
    write(path, broken)
    assert mapped(tenants) == "acme"
    write(path, '[services]\n"acme-*" = "globex"\n')

    assert mapped(tenants) == "globex"


def test_a_file_that_disappears_leaves_the_last_good_one_and_is_read_when_it_returns(path: Path) -> None:
    tenants = TenantsFile(path)
    path.unlink()
    assert mapped(tenants) == "acme"
    write(path, '[services]\n"acme-*" = "globex"\n')

    assert mapped(tenants) == "globex"


@pytest.mark.parametrize("text", [None, "[services", "[services]\nx = 7"])
def test_at_the_start_a_file_that_cannot_be_used_is_one_line_that_names_the_setting_and_the_file(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "tenants.toml"
    if text is not None:
        write(file, text)
    with pytest.raises(FileError) as caught:
        TenantsFile(file)

    assert str(caught.value).startswith(f"TENANTS_FILE {file}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match="TENANTS_FILE"):
        TenantsFile(file)
