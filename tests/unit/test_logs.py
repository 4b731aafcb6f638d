"""Logs: JSON with fields, no personal data, no secrets."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from voc_stream.logs import REDACTED, configure_logging, get_logger, redact
from voc_stream.settings import Settings


@pytest.fixture(params=["json"])
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What a process writes, JSON unless told otherwise; everything is as before afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, structlog.get_config())
    structlog.reset_defaults()
    config = configure_logging(Settings(_env_file=None, log_format=request.param))
    stream = io.StringIO()
    config["handlers"]["stderr"]["stream"] = stream
    logging.config.dictConfig(config)
    yield stream
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    structlog.configure(**before[2])


def told(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_an_event_is_a_json_line_with_its_fields(lines: io.StringIO) -> None:
    get_logger("tests.one").warning("dead letter", call_id="7", tenant_id="acme", topic="calls.raw", partition=3, offset=17)
    (line,) = told(lines)

    assert {name: line[name] for name in ("event", "call_id", "tenant_id", "topic", "partition", "offset")} == {
        "event": "dead letter", "call_id": "7", "tenant_id": "acme", "topic": "calls.raw", "partition": 3, "offset": 17,
    }  # fmt: skip
    assert line["level"] == "warning"
    assert line["logger"] == "tests.one"
    assert line["timestamp"].endswith("Z")


def test_lines_of_other_libraries_are_json_too(lines: io.StringIO) -> None:
    logging.getLogger("faust.worker").info("%s is %s", "it", "ready")
    (line,) = told(lines)

    assert (line["event"], line["logger"], line["level"]) == ("it is ready", "faust.worker", "info")


@pytest.mark.parametrize("lines", ["json", "console"], indirect=True)
def test_a_stack_trace_holds_no_values(lines: io.StringIO) -> None:
    customer = "Planted " + "Name"
    try:
        int(f"{customer:.0}seven")
    except ValueError:
        get_logger("tests.one").exception("failed")

    assert "ValueError" in lines.getvalue()
    assert customer not in lines.getvalue()


def test_a_stack_trace_is_a_field_of_its_line(lines: io.StringIO) -> None:
    try:
        int("seven")
    except ValueError:
        get_logger("tests.two").exception("it broke")
    (line,) = told(lines)

    assert "ValueError" in line["exception"]


def test_what_clients_tell_of_keys_and_values_is_not_logged(lines: io.StringIO) -> None:
    for name in ("aiokafka", "botocore", "aiobotocore", "clickhouse_connect"):
        logging.getLogger(name).info("key=%s", "secret")

    assert told(lines) == []


@pytest.mark.parametrize(
    "name",
    [
        "password", "secret", "token", "authorization", "dsn", "udfs", "other_parties", "customer", "transcript", "value", "key",
        "avaya_password", "postgres_dsn", "scoring_token", "S3_SECRET", "Authorization",
    ],
)  # fmt: skip
def test_fields_that_hold_personal_data_or_secrets_are_blanked(lines: io.StringIO, name: str) -> None:
    get_logger("tests.three").info("it happened", **{name: "Grace Hopper"})

    assert "Hopper" not in lines.getvalue()
    assert told(lines)[0][name] == REDACTED


def test_fields_inside_of_fields_are_blanked_too() -> None:
    event = redact(None, "info", {"event": "x", "call": {"call_id": "7", "udfs": "Grace", "more": [{"password": "y"}]}})

    assert event == {"event": "x", "call": {"call_id": "7", "udfs": REDACTED, "more": [{"password": REDACTED}]}}


@pytest.mark.parametrize("name", ["s3_key", "transcript_key", "model_version", "reason", "tokens", "keys"])
def test_names_that_only_resemble_them_stay(name: str) -> None:
    assert redact(None, "info", {"event": "x", name: "y"})[name] == "y"


def test_the_level_is_the_setting_s() -> None:
    assert configure_logging(Settings(_env_file=None, log_level="debug"))["root"]["level"] == "DEBUG"
