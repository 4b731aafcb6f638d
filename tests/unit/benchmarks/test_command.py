"""How a benchmark's command ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import click
import pytest

from benchmarks.command import run
from voc_stream.devstack.errors import StackError


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No arguments, and SIGTERM as it was."""
    monkeypatch.setattr(sys, "argv", ["bench"])
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def _raising(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (StackError("Kafka did not start"), 1, "bench: Kafka did not start"),
        (click.BadParameter("too few"), 1, "bench: Invalid value: too few"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_with_a_sentence_is_told_without_a_trace(error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(_raising(error), "bench")
    assert ended.value.code == code
    assert capsys.readouterr().err.strip() == said


def test_a_missed_target_is_the_command_s_own_code() -> None:
    with pytest.raises(SystemExit) as ended:
        run(_raising(SystemExit(3)), "bench")
    assert ended.value.code == 3
