"""What `faust -A voc_stream reconcile` tells."""

from __future__ import annotations

from datetime import UTC, datetime

from voc_stream.reconcile import MOST_SHOWN, told
from voc_stream.stages.completeness import Equation, Gap, Hop, Remedy

HOUR = datetime(2026, 11, 22, 9, tzinfo=UTC)


def test_hours_that_add_up_are_a_table_and_a_line() -> None:
    lines: list[str] = []
    equation = Equation(HOUR, "acme", Hop.STORE)
    equation.add("stored")

    told([equation], lines.append)

    assert "2026-11-22 09:00" in lines[0]
    assert "1 stored" in lines[0]
    assert lines[1:] == ["reconcile: hours=1 equations=1 gaps=0 mendable=0"]


def test_gaps_are_named_with_their_remedy_and_what_the_equation_says() -> None:
    lines: list[str] = []
    equation = Equation(HOUR, "acme", Hop.DOWNLOAD)
    equation.add(Gap(Hop.DOWNLOAD, "acme", "700", "S3 has no raw/700.wav", Remedy.COPY, HOUR))
    equation.add(Gap(Hop.DOWNLOAD, "acme", "701", "S3 has no raw/701.wav", None, HOUR))

    told([equation], lines.append)

    assert all(word in lines[1] for word in ("700", "S3 has no raw/700.wav", "download again", "none"))
    assert lines[2:] == ["download: downloaded = objects in S3", "reconcile: hours=1 equations=1 gaps=2 mendable=1"]


def test_more_gaps_than_a_person_reads_are_counted() -> None:
    lines: list[str] = []
    equation = Equation(HOUR, "acme", Hop.POLL)
    for number in range(MOST_SHOWN + 7):
        equation.add(Gap(Hop.POLL, "acme", str(number), "gone", None, HOUR))

    told([equation], lines.append)

    assert "7 more gaps are not shown" in lines
