"""Status moves only along the allowed edges (spec section 2)."""

from __future__ import annotations

import pytest

from voc_stream.stages.changes import EDGES, FINAL, Status, may_fail, may_move, sources_of

ALLOWED = {
    ("PENDING_DOWNLOAD", "DOWNLOADED"),
    ("PENDING_DOWNLOAD", "MISSING"),
    ("PENDING_DOWNLOAD", "ERROR"),
    ("DOWNLOADED", "SCORED"),
    ("DOWNLOADED", "NOT_SCORABLE"),
    ("DOWNLOADED", "ERROR"),
    ("ERROR", "PENDING_DOWNLOAD"),
    ("MISSING", "PENDING_DOWNLOAD"),
    ("NOT_SCORABLE", "SCORED"),
    ("SCORED", "ERROR"),
    ("NOT_SCORABLE", "ERROR"),
}


@pytest.mark.parametrize("old", Status)
@pytest.mark.parametrize("new", Status)
def test_a_status_moves_along_the_edges_and_nowhere_else(old: Status, new: Status) -> None:
    assert may_move(old, new) == ((old, new) in ALLOWED)


@pytest.mark.parametrize("new", Status)
def test_the_sources_of_a_status_are_those_that_may_move_to_it(new: Status) -> None:
    assert sources_of(new) == {old for old in Status if may_move(old, new)}


@pytest.mark.parametrize(
    ("old", "stage", "may"),
    [
        (Status.PENDING_DOWNLOAD, "download", True),
        (Status.DOWNLOADED, "score", True),
        (Status.SCORED, "export", True),
        (Status.NOT_SCORABLE, "export", True),
        (Status.SCORED, "download", False),
        (Status.NOT_SCORABLE, "score", False),
        (Status.MISSING, "export", False),
    ],
)
def test_a_call_that_has_its_result_fails_by_its_export_only(old: Status, stage: str, *, may: bool) -> None:
    assert may_fail(old, stage) == may


def test_every_status_says_where_it_leads() -> None:
    assert set(EDGES) == set(Status)


def test_a_call_is_pending_until_it_is_scored_missing_or_given_up() -> None:
    assert {Status.PENDING_DOWNLOAD, Status.DOWNLOADED} == set(Status) - FINAL
