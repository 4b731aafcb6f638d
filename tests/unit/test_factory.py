"""The composition root: one app with every agent, and nothing in it that we did not put there."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from faust.transport.drivers import TRANSPORTS
from mode.supervisors import CrashingSupervisor

from voc_stream import topics
from voc_stream.factory import create_app
from voc_stream.settings import Settings, SettingsError

KEY = base64.b64encode(bytes(32)).decode()


def settings(tmp_path: Path, **values: Any) -> Settings:
    return Settings(_env_file=None, state_dir=tmp_path, pii_keys=f"k1:{KEY}", pii_key_id="k1", **values)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("voc_stream.factory.configure_logging", lambda _: None)
    return create_app(settings(tmp_path))


def test_each_step_of_the_pipeline_has_its_agent_and_reads_its_topic(app: Any) -> None:
    reads = {name.rpartition(".")[2]: set(agent.channel.topics) for name, agent in app.agents.items()}

    assert reads == {
        "dedup": {topics.CALLS_POLLED},
        "enrich": {topics.CALLS_RAW},
        "download": {topics.CALLS_ENRICHED},
        "score": {topics.AUDIO_READY},
        "export": {topics.SCORING_RESULTS},
        "voc": {topics.VOC_CALLS, topics.VOC_ACTIONS, topics.VOC_METRICS, topics.VOC_OVERFLOW},
    }
    assert set(app.kit.runners) == set(reads)


def test_the_recorder_is_polled_by_tasks(app: Any) -> None:
    assert len(app._app_tasks) >= 3


def test_an_agent_that_meets_an_unknown_error_ends_the_worker(app: Any) -> None:
    assert app.conf.agent_supervisor is CrashingSupervisor


def test_the_app_commits_what_the_ledgers_say(app: Any) -> None:
    assert TRANSPORTS.aliases["kafka"] == "voc_stream.runtime.transport:Transport"
    assert app.conf.producer_acks == -1
    assert app.conf.consumer_auto_offset_reset == "earliest"
    assert app.conf.stream_wait_empty


def test_every_dependency_of_a_stage_has_a_gate(app: Any) -> None:
    needed = {name for runner in app.kit.runners.values() for name in runner.stage.needs}

    assert needed | {"kafka", "recorder"} <= set(app.kit.around.gates)


def test_the_group_is_the_app(tmp_path: Path) -> None:
    assert create_app(settings(tmp_path, kafka_group_id="other-group")).conf.id == "other-group"


def test_a_table_has_a_changelog_with_the_partitions_of_its_source(app: Any, tmp_path: Path) -> None:
    partitions = {topic.name: topic.partitions for topic in topics.all_topics(settings(tmp_path))}

    for name, source in ((topics.CALLS_SEEN, topics.CALLS_POLLED), (topics.EVENT_RANGES, topics.VOC_CALLS)):
        table = app.tables[name]
        assert table.changelog_topic.get_topic_name() == f"voc-processor-{name}-changelog"
        assert table.partitions == partitions[source] == partitions[f"voc-processor-{name}-changelog"]


async def test_faust_s_own_pages_are_off_and_ours_are_there(app: Any) -> None:
    web = app.web
    web.init_server()
    async with TestClient(TestServer(web.web_app)) as client:
        for page in ("/table/", "/router/", "/stats/", "/graph/", "/performance/"):
            assert (await client.get(page)).status == 404, page
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/readyz")).status == 503
        assert "voc_stage_records" in await (await client.get("/metrics")).text()


@pytest.mark.parametrize("name", ["BROKER_URL", "STREAM_BUFFER_MAXSIZE", "AGENT_SUPERVISOR", "PROCESSING_GUARANTEE", "WEB_BIND"])
def test_a_setting_of_faust_s_in_the_environment_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(SettingsError, match=f"^{name} "):
        create_app(settings(tmp_path))


def test_a_tenants_file_that_cannot_be_used_stops_the_start_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "tenants.toml").write_text("[services", encoding="utf-8")
    with pytest.raises(SettingsError, match="TENANTS_FILE ") as caught:
        create_app(settings(tmp_path, tenants_file=tmp_path / "tenants.toml"))

    assert "\n" not in str(caught.value)
