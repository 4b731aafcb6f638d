"""Kafka's jars, its configuration, and the line for a machine without Java."""

from __future__ import annotations

from pathlib import Path

import pytest

from voc_stream.devstack.errors import StackError
from voc_stream.devstack.folder import StackFolder
from voc_stream.devstack.parts.base import Site
from voc_stream.devstack.parts.jars import cache_folder, ensure_jars, java, kafka_version
from voc_stream.devstack.parts.kafka import Kafka, render


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def kafka(tmp_path: Path) -> Kafka:
    return Kafka(Site(StackFolder(tmp_path), {}, {"kafka": 1, "kafka-controller": 2}, lambda _: None))


@pytest.mark.usefixtures("bare_machine")
def test_without_java_one_line_says_what_to_install_and_names_docker() -> None:
    with pytest.raises(StackError) as refusal:
        java()
    line = str(refusal.value)
    assert "\n" not in line
    assert "apt-get install openjdk-17-jre-headless maven" in line
    assert "docker compose" in line


@pytest.mark.usefixtures("bare_machine")
async def test_without_maven_the_line_is_the_same(kafka: Kafka) -> None:
    with pytest.raises(StackError, match=r"`mvn`: apt-get install openjdk-17-jre-headless maven"):
        await ensure_jars(kafka)


@pytest.mark.usefixtures("bare_machine")
async def test_jars_that_are_there_need_no_maven(kafka: Kafka) -> None:
    cache_folder().mkdir(parents=True)
    assert await ensure_jars(kafka) == cache_folder()


def test_the_pom_pins_a_kafka_of_the_fourth_generation_and_the_third_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEVSTACK_KAFKA", raising=False)
    assert kafka_version().startswith("4.1.")
    newest = cache_folder()
    monkeypatch.setenv("DEVSTACK_KAFKA", "3.9")
    assert kafka_version().startswith("3.9.")
    assert cache_folder() != newest
    monkeypatch.setenv("DEVSTACK_KAFKA", "2.8")
    with pytest.raises(StackError, match=r"there is no pom-2\.8\.xml"):
        kafka_version()


def test_one_node_is_broker_and_controller_on_the_loopback_alone() -> None:
    lines = dict(line.split("=", 1) for line in render(Path("/data"), 20092, 20093).splitlines())
    assert lines["process.roles"] == "broker,controller"
    assert lines["listeners"] == "PLAINTEXT://127.0.0.1:20092,CONTROLLER://127.0.0.1:20093"
    assert lines["controller.quorum.voters"] == "1@127.0.0.1:20093"
    assert lines["log.dirs"] == "/data"


def test_topics_are_not_made_by_accident_and_groups_form_at_once() -> None:
    lines = dict(line.split("=", 1) for line in render(Path("/data"), 1, 2).splitlines())
    assert lines["auto.create.topics.enable"] == "false"
    assert lines["group.initial.rebalance.delay.ms"] == "0"
