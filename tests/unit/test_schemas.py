"""The published schemas: complete, up to date, and true of real values."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from tests import calls
from voc_stream import schemas
from voc_stream.runtime.dead_letter import dead_letter_record
from voc_stream.settings import Settings
from voc_stream.stages.outcome import DeadLetter, Facts
from voc_stream.topics import all_topics

FOLDER = Path(__file__).parents[2] / schemas.FOLDER


def test_the_files_are_those_of_the_types() -> None:
    """Run `make schemas` if this fails."""
    there = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert there == schemas.schema_files()


def test_every_topic_that_holds_our_values_has_a_schema() -> None:
    foreign = ("voc-processor-",)
    names = {topic.name for topic in all_topics(Settings()) if not topic.name.endswith(".dlq") and not topic.name.startswith(foreign)}
    assert names == set(schemas.TOPICS)


def test_a_customer_event_is_told_apart_by_its_type() -> None:
    schema = json.loads(schemas.schema_files()["voc.calls.json"])
    assert schema["discriminator"]["propertyName"] == "event_type"
    assert set(schema["discriminator"]["mapping"]) == {"call", "agent_action", "tool_invocation", "qos_metric"}


def test_writing_them_makes_the_folder(tmp_path: Path) -> None:
    assert schemas.write(tmp_path / "a" / "b") == len(list((tmp_path / "a" / "b").iterdir())) == len(schemas.schema_files())


def test_the_page_beside_them_names_every_header_of_a_dead_letter() -> None:
    record = SimpleNamespace(key=b"k", value=b"v", headers=(), partition=0)
    letter = dead_letter_record(record, Facts(now=calls.NOW, topic="t", partition=0, offset=1), "stage", DeadLetter("malformed", "why"))
    page = (FOLDER / "README.md").read_text()
    assert [name for name, _ in letter.headers if f"`{name}`" not in page] == []
