"""Settings: where they come from, and how a bad or contradictory one stops the start (spec section 7)."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from voc_stream.settings import Settings, SettingsError, load_settings

KEY = base64.b64encode(bytes(32)).decode()
SECRET = "hunter2-correct-horse"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting from outside, and an empty folder to read `.env` and the endpoints file from."""
    ours = {name.upper() for name in Settings.model_fields} | {"STACK_DIR"}
    for name in list(os.environ):
        if name.upper() in ours:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def endpoints(text: str) -> None:
    Path(".stack").mkdir()
    Path(".stack/endpoints.env").write_text(text, encoding="utf-8")


def dotenv(text: str) -> None:
    Path(".env").write_text(text, encoding="utf-8")


def fails(**values: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(**values)
    return str(caught.value)


# where they come from


def test_without_anything_set_the_defaults_hold() -> None:
    settings = load_settings()

    assert settings.kafka_bootstrap == ("localhost:9092",)
    assert settings.kafka_group_id == "voc-processor"
    assert settings.http_port == 8000
    assert settings.bucket == "ccas-audio-dev"
    assert settings.replication == 1


def test_the_environment_goes_before_dotenv_which_goes_before_the_endpoints_file(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints("HTTP_PORT=1001\nCLICKHOUSE_PORT=1001\nCLICKHOUSE_HOST=from-endpoints\n")
    dotenv("HTTP_PORT=1002\nCLICKHOUSE_PORT=1002\n")
    monkeypatch.setenv("HTTP_PORT", "1003")
    settings = load_settings()

    assert (settings.http_port, settings.clickhouse_port, settings.clickhouse_host) == (1003, 1002, "from-endpoints")


def test_the_stack_may_lie_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "endpoints.env").write_text("HTTP_PORT=1001\n", encoding="utf-8")
    monkeypatch.setenv("STACK_DIR", str(tmp_path / "there"))

    assert load_settings().http_port == 1001


@pytest.mark.parametrize("where", ["environment", "dotenv"])
def test_outside_dev_the_endpoints_file_is_not_read(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    endpoints("CLICKHOUSE_HOST=from-endpoints\n")
    production = {"APP_ENV": "stg", "PII_KEYS": f"k1:{KEY}", "PII_KEY_ID": "k1"}
    if where == "dotenv":
        dotenv("".join(f"{name}={value}\n" for name, value in production.items()))
    else:
        for name, value in production.items():
            monkeypatch.setenv(name, value)
    settings = load_settings()

    assert settings.app_env == "stg"
    assert settings.clickhouse_host == "localhost"
    assert settings.replication == 3


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints("CLICKHOUSE_HOST=from-endpoints\n")
    monkeypatch.setenv("APP_ENV", "")
    monkeypatch.setenv("HTTP_PORT", "")
    settings = load_settings()

    assert (settings.app_env, settings.http_port, settings.clickhouse_host) == ("dev", 8000, "from-endpoints")


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "one:9092, two:9092,")

    assert load_settings().kafka_bootstrap == ("one:9092", "two:9092")


def test_keys_are_read_by_their_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PII_KEYS", f"k1:{KEY}, k2:{KEY}")
    monkeypatch.setenv("PII_KEY_ID", "k2")

    assert list(load_settings().encryption_keys) == ["k1", "k2"]


# one line that names the setting


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_ENV", "production"),
        ("HTTP_PORT", "0"),
        ("HTTP_PORT", "eight"),
        ("CLICKHOUSE_PORT", "65536"),
        ("KAFKA_GROUP_ID", "Has Spaces"),
        ("KAFKA_BOOTSTRAP", ","),
        ("AVAYA_TIMEZONE", "Europe/Atlantis"),
        ("AVAYA_TIMEZONE", "../../etc/passwd"),
        ("AVAYA_LAYOUT", "other"),
        ("AVAYA_RECORDER_ID", "far-too-long"),
        ("AVAYA_RESULT_CAP", "1"),
        ("AVAYA_URL", "ftp://recorder/searchapi"),
        ("AVAYA_URL", f"http://user:{SECRET}@recorder/searchapi"),
        ("SCORING_URL", "recorder:8090"),
        ("S3_SSE", "none"),
        ("S3_PART_BYTES", "1"),
        ("CLICKHOUSE_DB", "a;drop"),
        ("DOWNLOAD_IN_FLIGHT", "0"),
        ("PII_KEYS", f"k1:{SECRET}"),
        ("PII_KEYS", SECRET),
        ("PII_KEYS", f":{KEY}"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line_that_names_it_and_never_shows_a_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    line = fails()

    assert name in line
    assert "\n" not in line
    assert SECRET not in line
    assert KEY not in line


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"PII_KEYS": f"k1:{KEY}", "PII_KEY_ID": "k2"}, "PII_KEY_ID"),
        ({"PII_KEYS": f"k1:{KEY}"}, "PII_KEY_ID"),
        ({"APP_ENV": "stg"}, "PII_KEYS"),
        ({"APP_ENV": "prod", "PII_KEYS": f"k1:{KEY}", "PII_KEY_ID": "k1", "KAFKA_REPLICATION": "1"}, "KAFKA_REPLICATION"),
        ({"APP_ENV": "prod", "PII_KEYS": f"k1:{KEY}", "PII_KEY_ID": "k1", "AVAYA_URL": "http://recorder/searchapi"}, "AVAYA_URL"),
        ({"S3_SSE": "aws:kms"}, "S3_KMS_KEY_ID"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_USERNAME"),
        ({"KAFKA_SSL_CERT_FILE": "a.pem"}, "KAFKA_SSL_KEY_FILE"),
        ({"AVAYA_WINDOW_SECONDS": "20"}, "AVAYA_WINDOW_SECONDS"),
        ({"HEALTH_STUCK_SECONDS": "900"}, "HEALTH_STUCK_SECONDS"),
        ({"BATCH_FLUSH_SECONDS": "3600"}, "HEALTH_STUCK_SECONDS"),
    ],
)
def test_settings_that_contradict_each_other_stop_the_start_with_one_line_that_names_them(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], names: str
) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    line = fails()

    assert names in line
    assert "\n" not in line
    assert KEY not in line


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = load_settings(
        avaya_password=SECRET, kafka_sasl_password=SECRET, postgres_dsn=f"postgresql://voc:{SECRET}@db/voc", scoring_token=SECRET
    )

    assert SECRET not in repr(settings)
    assert SECRET not in str(settings.model_dump())


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().http_port = 9  # type: ignore[misc]
