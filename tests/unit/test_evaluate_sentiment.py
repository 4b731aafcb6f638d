from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rated import held_back, needs_rated_texts
from voc_stream import evaluate
from voc_stream.settings import Settings


async def figures(file: Path, settings: Settings | None = None) -> tuple[int, list[str]]:
    told: list[str] = []
    code = await evaluate.run(settings or Settings(), told.append, what="sentiment", file=file)
    return code, told


Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(content: str) -> Path:
        file = tmp_path / "rated.csv"
        file.write_text(content, encoding="utf-8")
        return file

    return write


@needs_rated_texts
async def test_the_default_agrees_with_people_on_texts_that_training_never_saw(written: Written) -> None:
    rows = held_back()
    table = io.StringIO()
    csv.writer(table).writerows([("text", "rating"), *((row.text, row.rating) for row in rows)])
    code, told = await figures(written(table.getvalue()))
    found = re.fullmatch(rf"evaluate: n={len(rows)} accuracy=(0\.\d{{3}}) macro_f1=(0\.\d{{3}}) pearson=(0\.\d{{3}})", told[-1])
    assert code == 0
    assert found is not None
    accuracy, macro_f1, pearson = map(float, found.groups())
    assert accuracy >= 0.60
    assert macro_f1 >= 0.56
    assert pearson >= 0.52


async def test_ratings_are_cut_at_half_and_the_table_has_a_row_a_truth(written: Written) -> None:
    code, told = await figures(written("text,rating\nThis is great,2\nIt is on the table,0.5\nThis is terrible,-0.51\n"))
    assert code == 0
    assert [line.split() for line in told[:-1]] == [
        ["true", "\\", "said", "negative", "neutral", "positive"],
        ["negative", "1", "0", "0"],
        ["neutral", "0", "1", "0"],
        ["positive", "0", "0", "1"],
    ]
    assert told[-1].startswith("evaluate: n=3 accuracy=1.000 macro_f1=1.000 pearson=0.9")


async def test_labels_do_as_well_as_ratings(written: Written) -> None:
    code, told = await figures(written("label,text\nPOSITIVE,This is great\nneu,It is on the table\n-1,This is terrible\n"))
    assert code == 0
    assert "accuracy=1.000" in told[-1]


async def test_one_constant_rating_has_no_correlation(written: Written) -> None:
    _, told = await figures(written("text,rating\nThis is great,2\nThis is terrible,2\n"))
    assert told[-1] == "evaluate: n=2 accuracy=0.500 macro_f1=0.333 pearson=0.000"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("text,rating\nfine,1\ngood,much\n", "row 2, column `rating`: not a number from -4 to 4"),
        ("text,rating\nfine,5\n", "row 1, column `rating`"),
        ("text,rating\nfine,nan\n", "row 1, column `rating`"),
        ("text,rating\nfine\n", "row 1, column `rating`"),
        ("text,label\nfine,okay\n", "row 1, column `label`: none of negative, neutral, positive"),
        ("text,stars\nfine,5\n", "no column `rating` or `label`; it has text, stars"),
        ("words,rating\nfine,1\n", "no column `text`"),
        ("text,rating\nfine,1,2\n", "row 1 has more cells than the header"),
        ("text,rating\n", "no rows"),
        ('text,rating\nfine,1\n"good,1\n', "after row 1"),
    ],
)
async def test_a_broken_file_is_told_in_one_line(written: Written, capsys: pytest.CaptureFixture[str], content: str, complaint: str) -> None:
    code, told = await figures(written(content))
    captured = capsys.readouterr().err
    assert (code, told) == (1, [])
    assert complaint in captured
    assert captured.count("\n") == 1
