"""The evaluator: from the rules' file and the readings to rows, whoever else evaluates and whatever fails."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.alerts import NOON, felt
from tests.fakes.alerts import FakeAlerts, FakeReadings
from tests.unit.services.made import settings
from voc_stream.errors import OutageError, RejectedError, TransientError
from voc_stream.services.alerts import Evaluator
from voc_stream.services.alerts_file import alerts_file
from voc_stream.services.reloaded import FileError

RULE = '[defaults.rules.low]\nmetric = "mean_sentiment"\nraise_below = -0.3\nclear_above = -0.1\nminimum_count = 10\ncool_down_minutes = 30\n'
HOOK = '[tenants.acme.webhook]\nurl = "https://acme.example.com/"\nsecret = "env:VOC_TEST_SECRET"\n'


class Scene:
    def __init__(self, path: Path, text: str = RULE) -> None:
        self.path, self.now = path / "alerts.toml", NOON
        self.path.write_text(text, encoding="utf-8")
        self.store, self.readings = FakeAlerts(NOON), FakeReadings()
        self.evaluator = self.another()

    def another(self) -> Evaluator:
        file = alerts_file(settings(alerts_file=self.path))
        return Evaluator(file=file, readings=self.readings, store=self.store, now=lambda: self.now)

    def states(self) -> list[str]:
        return [row.entry.state for row in self.store.rows if row.channel == "topic"]


async def test_an_episode_from_raising_to_clearing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for mean, changed in ((0.0, 0), (-0.5, 1), (-0.5, 0), (-0.2, 0), (0.0, 1), (-0.5, 0)):
        scene.readings.says = [felt(mean)]
        assert await scene.evaluator.turn() == changed
        scene.now += timedelta(minutes=1)
    assert scene.states() == ["raised", "cleared"]


async def test_two_evaluators_at_once_raise_one_alert(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.readings.says = [felt(-0.5)]
    assert sum(await asyncio.gather(*(scene.another().turn() for _ in range(2)))) == 1
    assert scene.states() == ["raised"]


async def test_a_tenant_with_a_webhook_is_told_there_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOC_TEST_SECRET", "a-made-up-secret-of-length")
    scene = Scene(tmp_path, RULE + HOOK)
    scene.readings.says = [felt(-0.5), felt(-0.5, "other")]
    await scene.evaluator.turn()
    assert [(row.entry.tenant_id, row.channel) for row in scene.store.rows] == [("acme", "topic"), ("acme", "webhook"), ("other", "topic")]


async def test_a_rule_that_is_taken_out_of_the_file_clears_its_alerts(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.readings.says = [felt(-0.5)]
    await scene.evaluator.turn()
    scene.path.write_text("", encoding="utf-8")
    assert await scene.evaluator.turn() == 1
    assert msgspec.json.decode(scene.store.rows[-1].entry.body)["cause"] == "rule_removed"


async def test_a_broken_file_clears_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.readings.says = [felt(-0.5)]
    await scene.evaluator.turn()
    scene.path.write_text("[defaults", encoding="utf-8")
    assert await scene.evaluator.turn() == 0


async def test_an_outage_is_told_to_the_caller_and_a_failed_attempt_waits_for_the_next_turn(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.readings.says = [felt(-0.5)]
    scene.readings.fail_next("read", OutageError("clickhouse", "down"), TransientError("clickhouse", "query took too long"))
    with pytest.raises(OutageError):
        await scene.evaluator.turn()
    assert await scene.evaluator.turn() == 0
    assert await scene.evaluator.turn() == 1


async def test_an_alert_that_cannot_be_stored_holds_up_no_other(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.readings.says = [felt(-0.5), felt(-0.5, "other")]
    scene.store.fail_next("write", RejectedError("postgres", "DataError"))
    assert await scene.evaluator.turn() == 1
    assert [episode.tenant_id for episode in scene.store.all_episodes] == ["other"]


def test_a_file_that_cannot_be_used_is_named_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^ALERTS_FILE .* defaults.rules.low: Unable to extract tag"):
        Scene(tmp_path, "[defaults.rules.low]\n")


def test_outside_dev_a_webhook_in_the_clear_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOC_TEST_SECRET", "a-made-up-secret-of-length")
    path = tmp_path / "alerts.toml"
    path.write_text(HOOK.replace("https:", "http:"), encoding="utf-8")
    alerts_file(settings(alerts_file=path))
    stg = settings(alerts_file=path).model_copy(update={"app_env": "stg"})
    with pytest.raises(FileError, match="must be https outside dev"):
        alerts_file(stg)
