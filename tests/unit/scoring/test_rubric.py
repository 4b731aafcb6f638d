from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from voc_stream.scoring.rubric import PACKAGED, RubricError, load_rubric


def edited(tmp_path: Path, edit: Any) -> Path:
    content = yaml.safe_load(PACKAGED.read_text(encoding="utf-8"))
    edit(content)
    file = tmp_path / "rubric.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def test_the_packaged_rubric_has_the_ten_items_and_sums_to_100() -> None:
    rubric = load_rubric()
    assert [item.item for item in rubric.items] == [
        "greeting",
        "identification",
        "courtesy",
        "talk_share",
        "dead_air",
        "interruptions",
        "speaking_rate",
        "customer_sentiment",
        "closing",
        "compliance",
    ]
    assert sum(item.points for item in rubric.items) == 100


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(lambda c: c["items"][0].update(points=11), "the points sum to 101, not to 100", id="sum"),
        pytest.param(lambda c: c["items"][0].update(item="charm"), "charm", id="unknown item"),
        pytest.param(lambda c: c["items"].append(dict(c["items"][0])), "greeting comes more than once", id="twice"),
        pytest.param(lambda c: c["items"][0].update(colour="red"), "item greeting.colour", id="unknown field"),
        pytest.param(lambda c: c["items"][0].pop("phrases"), "item greeting.phrases", id="missing field"),
        pytest.param(lambda c: c["items"][3].update(full_between=[0.05, 0.5]), "full_between must lie inside zero_outside", id="bands"),
        pytest.param(lambda c: c.pop("version"), "version", id="no version"),
        pytest.param(lambda c: c.update(items=[dict(c["items"][0], points=100)]), "dead_air is missing", id="nothing for every call"),
    ],
)
def test_a_wrong_rubric_is_refused_with_one_line_that_names_the_place(tmp_path: Path, edit: Any, message: str) -> None:
    file = edited(tmp_path, edit)
    with pytest.raises(RubricError) as refused:
        load_rubric(file)
    assert message in str(refused.value)
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "- a\n- b", "items: [", "version: '1'\nitems: 7", "items: [3]", "\0"])
def test_a_file_that_is_no_rubric_is_refused_with_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rubric.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RubricError) as refused:
        load_rubric(file)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RubricError, match=r"none\.yaml: cannot be read"):
        load_rubric(tmp_path / "none.yaml")
