"""`evaluate`: labelled texts against what would be stored of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from voc_stream import evaluate
from voc_stream.settings import Settings

ROWS = """text,label,tenant
I was charged twice on my invoice,billing,acme
my parcel has not arrived,Delivery ,globex
"I want to file a complaint,
about everything",complaint,
where is my courier bag,billing,acme
,other,
"""


def settings(topics_file: Path | None = None) -> Settings:
    return Settings(_env_file=None, topics_file=topics_file)


async def told(file: Path, *, topics_file: Path | None = None) -> tuple[int, list[str]]:
    lines: list[str] = []
    return await evaluate.run(settings(topics_file), lines.append, what="topics", file=file), lines


async def test_topics_are_counted_by_truth_and_answer_and_the_last_line_has_the_figures(tmp_path: Path) -> None:
    file = tmp_path / "labelled.csv"
    file.write_text(ROWS, encoding="utf-8-sig")
    code, lines = await told(file)

    assert code == 0
    assert lines[0].split()[:4] == ["true", "\\", "said", "account"]
    assert next(line for line in lines if line.split()[0] == "billing").split()[3:9] == ["1", "0", "0", "1", "0", "0"]
    assert lines[-1] == "evaluate: n=5 accuracy=0.800 macro_f1=0.833"


async def test_a_tenants_keywords_count(tmp_path: Path) -> None:
    file, keywords = tmp_path / "labelled.csv", tmp_path / "topics.toml"
    file.write_text(ROWS)
    keywords.write_text('[acme]\nbilling = ["courier bag"]\n')
    _, lines = await told(file, topics_file=keywords)

    assert lines[-1] == "evaluate: n=5 accuracy=1.000 macro_f1=1.000"


async def test_a_label_of_the_tenants_own_is_a_row_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "labelled.csv"
    file.write_text("text,label\nmy invoice,warranty\n")
    code, lines = await told(file)

    assert code == 0
    assert lines[-2].split()[0] == "warranty"
    assert lines[-1].startswith("evaluate: n=1 accuracy=0.000")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "no rows"),
        (b"text,label\n", "no rows"),
        (b"label\nbilling\n", "no column `text`; it has label"),
        (b"text\nmy invoice\n", "no column `label`; it has text"),
        (b"text,label\n\xff,billing\n", "codec"),
    ],
)
async def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, reason: str) -> None:
    file = tmp_path / "labelled.csv"
    if content is not None:
        file.write_bytes(content)
    code, lines = await told(file)

    assert (code, lines) == (1, [])
    error = capsys.readouterr().err
    assert error.startswith("voc-stream: ")
    assert reason in error
    assert error.count("\n") == 1


async def test_a_broken_topics_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, keywords = tmp_path / "labelled.csv", tmp_path / "topics.toml"
    file.write_text(ROWS)
    keywords.write_text("[acme")
    code, _ = await told(file, topics_file=keywords)

    assert code == 1
    assert capsys.readouterr().err.startswith(f"voc-stream: TOPICS_FILE {keywords}: not TOML")
