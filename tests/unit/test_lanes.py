"""`make test`: a suite that fails fails the run; few failures get a second try, alone and named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import lanes

_FLAKY = """
from pathlib import Path
def test_that_passes(): pass
def test_that_passes_the_second_time():
    tried = Path(__file__).with_suffix(".tried")
    first = not tried.exists()
    tried.touch()
    assert not first
"""
_BROKEN = "def test_that_never_passes(): assert False\n"
_MUCH_BROKEN = f"import pytest\n@pytest.mark.parametrize('n', range({lanes.MOST_AGAIN + 1}))\ndef test_that_never_passes(n): assert False\n"


@pytest.mark.parametrize(
    ("text", "code", "tries"), [(_FLAKY, 0, 1), (_BROKEN, 1, 1), (_MUCH_BROKEN, 1, 0)], ids=["passes alone", "broken", "much broken"]
)
def test_few_failures_are_run_once_more_and_named(
    *, text: str, code: int, tries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(text)
    options = ("-c", os.devnull, "--rootdir", str(tmp_path), "-p", "no:logging")
    monkeypatch.setattr(
        lanes, "LANES", ((lanes.Suite("one", options, (str(file),)),), (lanes.Suite("two", (*options, "--collect-only"), (str(file),)),))
    )
    monkeypatch.chdir(tmp_path)
    assert lanes.main() == code
    assert capfd.readouterr().out.count("once more and alone") == tries
