"""A file that is read again: when it changes, and what stays when it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from voc_stream.services.reloaded import FileError, ReloadedFile


def number(text: str) -> int:
    return int(text)


def file(path: Path | None) -> ReloadedFile[int]:
    return ReloadedFile("SOME_FILE", path, number, ValueError, without=0)


def test_without_a_file_the_content_is_what_holds_without_one() -> None:
    assert file(None).current() == 0


def test_a_change_counts_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "some"
    path.write_text("1", encoding="utf-8")
    found = file(path)
    assert found.current() == 1
    path.write_text("22", encoding="utf-8")
    assert found.current() == 22


@pytest.mark.parametrize("broken", ["twenty\ntwo", "", "\udcff"])
def test_a_broken_change_is_told_and_the_former_content_stays_until_it_is_mended(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "some"
    path.write_text("1", encoding="utf-8")
    found = file(path)
    path.write_bytes(broken.encode(errors="surrogateescape"))
    assert found.current() == 1
    path.write_text("333", encoding="utf-8")
    assert found.current() == 333


def test_a_file_that_vanishes_keeps_its_content_and_counts_when_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "some"
    path.write_text("1", encoding="utf-8")
    found = file(path)
    path.unlink()
    assert found.current() == 1
    path.write_text("22", encoding="utf-8")
    assert found.current() == 22


def test_at_the_start_a_broken_file_is_one_line_that_names_the_setting(tmp_path: Path) -> None:
    path = tmp_path / "some"
    path.write_text("no\nnumber", encoding="utf-8")
    with pytest.raises(FileError, match=r"^SOME_FILE .*some: invalid literal") as caught:
        file(path)
    assert "\n" not in str(caught.value)


def test_at_the_start_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="SOME_FILE"):
        file(tmp_path / "nowhere")
