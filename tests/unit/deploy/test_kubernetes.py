"""The manifests of `deploy/k8s`: valid against Kubernetes' schemas, and least privilege for every pod."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from voc_stream.settings import Settings
from voc_stream.topics import CALLS_PIPELINE

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "k8s"
VERSIONS = ("1.31", "1.34")
# Schemas of other projects, and kustomize's own.
FOREIGN = {"ScaledObject", "ServiceMonitor", "Kustomization", "Component"}


def documents(path: Path) -> Iterator[dict[str, Any]]:
    yield from (document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document)


FILES = sorted(path for part in ("base", "components") for path in (FOLDER / part).rglob("*.yaml"))
MANIFESTS = {
    f"{path.parent.name}/{path.name}: {each['kind']} {each['metadata']['name']}": each
    for path in FILES
    for each in documents(path)
    if "metadata" in each
}
PODS = {name: each["spec"]["template"]["spec"] for name, each in MANIFESTS.items() if each["kind"] in {"StatefulSet", "Deployment", "Job"}}


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [each for each in MANIFESTS.values() if each["kind"] == kind]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "manifest", [each for each in MANIFESTS.values() if each["kind"] not in FOREIGN], ids=lambda each: f"{each['kind']} {each['metadata']['name']}"
)
def test_each_manifest_is_what_kubernetes_understands(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_is_found() -> None:
    pod = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}, "automountServiceToken": False}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS.keys())
def test_each_pod_is_restricted(pod: dict[str, Any]) -> None:
    context = pod["securityContext"]
    assert context["runAsNonRoot"]
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        own = container["securityContext"]
        assert (own["allowPrivilegeEscalation"], own["readOnlyRootFilesystem"], own["capabilities"]) == (False, True, {"drop": ["ALL"]})
        assert set(container["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("path", [FOLDER / "base" / "config.yaml", FOLDER / "base" / "secret.example.yaml"], ids=lambda path: path.name)
def test_each_key_is_a_setting_and_no_secret_is_among_the_plain_ones(path: Path) -> None:
    (manifest,) = documents(path)
    keys = set(manifest.get("data") or manifest["stringData"])
    assert {key for key in keys if key.lower() not in Settings.model_fields} == set()
    if manifest["kind"] == "ConfigMap":
        assert {key for key in keys if "Secret" in str(Settings.model_fields[key.lower()].annotation)} == set()
    else:
        assert set(manifest["stringData"].values()) == {""}, "an example holds no secret"


def patched(path: Path) -> set[str]:
    """Return the ConfigMap's keys that a kustomization writes."""
    (kustomization,) = documents(path)
    patches = [patch for patch in kustomization.get("patches", ()) if patch["target"]["kind"] == "ConfigMap"]
    return {change["path"].removeprefix("/data/") for patch in patches for change in yaml.safe_load(patch["patch"])}


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("kustomization.yaml")), ids=lambda path: path.parent.name)
def test_each_key_that_an_overlay_or_a_component_writes_is_a_setting(path: Path) -> None:
    assert {key for key in patched(path) if key.lower() not in Settings.model_fields} == set()


def test_where_workers_trace_they_may_reach_the_collector() -> None:
    (policy,) = (each for each in of_kind("NetworkPolicy") if each["metadata"]["name"] == "voc-tracing")
    assert policy["spec"]["egress"][0]["ports"] == [{"port": 4318}]
    assert "TRACING_ENDPOINT" in patched(FOLDER / "components" / "tracing" / "kustomization.yaml")


def test_no_autoscaler_makes_more_workers_than_there_are_partitions_and_each_scales_down_slowly() -> None:
    most = max(topic.partitions for topic in CALLS_PIPELINE)
    (keda,), (plain,) = of_kind("ScaledObject"), of_kind("HorizontalPodAutoscaler")
    assert (keda["spec"]["maxReplicaCount"], plain["spec"]["maxReplicas"]) == (most, most)
    for behaviour in (keda["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"], plain["spec"]["behavior"]):
        assert behaviour["scaleDown"]["stabilizationWindowSeconds"] >= 900
        assert behaviour["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]


def test_probes_ask_the_operator_s_port_whether_it_is_alive_and_whether_it_is_ready() -> None:
    (worker,) = (pod["containers"][0] for name, pod in PODS.items() if "StatefulSet" in name)
    ports = {port["name"]: port["containerPort"] for port in worker["ports"]}
    assert ports == {"http": Settings.model_fields["http_port"].default, "operator": Settings.model_fields["operator_port"].default}
    assert worker["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "operator"}
    assert worker["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "operator"}


@pytest.mark.skipif(shutil.which("kustomize") is None, reason="kustomize is missing: go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1")
@pytest.mark.parametrize("overlay", ["dev", "stg", "prod"])
def test_each_overlay_can_be_built_and_is_valid(overlay: str) -> None:
    built = subprocess.run(["kustomize", "build", f"overlays/{overlay}"], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603, S607 - fixed words
    made = [each for each in yaml.safe_load_all(built.stdout) if each]
    for each in made:
        if each["kind"] not in FOREIGN:
            kubernetes_validate.validate(each, VERSIONS[-1], strict=True)
    replicas = next(each["spec"]["replicas"] for each in made if each["kind"] == "StatefulSet")
    assert replicas >= (1 if overlay == "dev" else 2)
    assert next(each["data"]["APP_ENV"] for each in made if each["kind"] == "ConfigMap") == overlay


@pytest.mark.parametrize("overlay", ["dev", "stg", "prod"])
def test_each_overlay_names_what_exists(overlay: str) -> None:
    folder = FOLDER / "overlays" / overlay
    (kustomization,) = documents(folder / "kustomization.yaml")
    for named in (*kustomization["resources"], *kustomization.get("components", ())):
        assert (folder / named / "kustomization.yaml").is_file()
    assert not {"../../components/keda", "../../components/hpa"} <= set(kustomization.get("components", ())), "two autoscalers fight"
