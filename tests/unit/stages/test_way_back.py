"""A failed call comes back along the allowed edges, as far as the stage expects it that failed."""

from __future__ import annotations

import itertools

import pytest

from voc_stream.stages.changes import Status, may_move
from voc_stream.stages.way_back import Reached, way_back

PENDING, DOWNLOADED, SCORED, NOT_SCORABLE, MISSING, ERROR = (
    Status.PENDING_DOWNLOAD, Status.DOWNLOADED, Status.SCORED, Status.NOT_SCORABLE, Status.MISSING, Status.ERROR,
)  # fmt: skip
STAGES = ("dedup", "enrich", "download", "score", "export", "voc", "poll")


@pytest.mark.parametrize(
    ("stage", "recorded", "outcome", "way"),
    [
        ("download", False, None, [PENDING]),
        ("download", True, SCORED, [PENDING]),
        ("score", True, None, [PENDING, DOWNLOADED]),
        ("score", False, None, [PENDING]),
        ("export", True, SCORED, [PENDING, DOWNLOADED, SCORED]),
        ("export", True, NOT_SCORABLE, [PENDING, DOWNLOADED, NOT_SCORABLE]),
        ("export", True, None, [PENDING, DOWNLOADED]),
        ("enrich", True, SCORED, []),
        ("voc", True, SCORED, []),
    ],
)
def test_a_call_in_error_goes_as_far_as_what_it_has_allows(stage: str, recorded: bool, outcome: Status | None, way: list[Status]) -> None:  # noqa: FBT001
    assert way_back(stage, Reached(ERROR, recorded, outcome)) == way


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("outcome", [None, SCORED, NOT_SCORABLE])
def test_every_step_is_an_allowed_edge(status: Status, stage: str, recorded: bool, outcome: Status | None) -> None:  # noqa: FBT001
    way = way_back(stage, Reached(status, recorded, outcome))

    assert all(may_move(old, new) for old, new in itertools.pairwise([status, *way]))


@pytest.mark.parametrize("status", [SCORED, NOT_SCORABLE, MISSING, DOWNLOADED])
def test_a_call_that_went_on_by_itself_stays_where_it_is(status: Status) -> None:
    assert way_back("download", Reached(status, recorded=True, outcome=None)) == []
    assert way_back("score", Reached(status, recorded=True, outcome=None)) == []


def test_a_call_that_is_on_its_way_again_goes_on_from_where_it_is() -> None:
    assert way_back("score", Reached(PENDING, recorded=True, outcome=None)) == [DOWNLOADED]
    assert way_back("export", Reached(DOWNLOADED, recorded=True, outcome=SCORED)) == [SCORED]
