"""Small parts of the desk's pages: the axis of intervals, a worker's own pages, letters that are chosen."""

from __future__ import annotations

import httpx
import pytest
from pydantic import ValidationError

from voc_stream.clients.letter_rows import LetterFilter
from voc_stream.web.pages.letter_choice import Choice, Listed
from voc_stream.web.pages.spans import Axis
from voc_stream.web.pages.worker_view import look_at
from voc_stream.web.problems import NotFound
from voc_stream.web.who import Caller

EVERYBODYS = Caller("token:a", None, frozenset({"read", "operate"}))
OF_ACME = Caller("token:b", "acme", frozenset({"read", "operate"}))
METRICS = """# TYPE voc_dependency_up gauge
voc_dependency_up{dependency="s3"} 0.0
voc_dependency_up{dependency="kafka"} 1.0
# TYPE voc_stage_paused gauge
voc_stage_paused{by="operator",stage="score"} 1.0
voc_stage_paused{by="self",stage="score"} 0.0
# TYPE voc_stage_in_flight gauge
voc_stage_in_flight{stage="score"} 2.0
# TYPE queue_depth gauge
queue_depth{stage="score"} 7.0
"""


def test_an_axis_holds_all_values_between_round_ends() -> None:
    axis = Axis.around([81.2, None, 64.9])
    assert (axis.low, axis.high) == (60.0, 85.0)
    assert [axis.at(value) for value in (60.0, 72.5, 85.0, 99.0)] == ["0.00", "50.00", "100.00", "100.00"]


def test_an_axis_of_one_value_and_of_none_can_be_drawn_on() -> None:
    assert Axis.around([80.0]) == Axis(80.0, 85.0)
    assert Axis.around([None]) == Axis(0.0, 100.0)


def _worker(answers: dict[str, httpx.Response]) -> httpx.AsyncClient:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path not in answers:
            raise httpx.ConnectError("nobody")
        return answers[request.url.path]

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://worker")


async def test_a_worker_says_what_it_needs_and_how_its_stages_are() -> None:
    readiness = httpx.Response(503, json={"status": "not ready", "reasons": ["s3: refused"], "degraded": ["sentiment: slow"]})
    async with _worker({"/readyz": readiness, "/metrics": httpx.Response(200, text=METRICS)}) as worker:
        view = await look_at(worker)
    assert view is not None
    assert not view.ready
    assert view.reasons == ("s3: refused", "sentiment: slow")
    assert view.dependencies == {"kafka": True, "s3": False}
    assert view.stages == {"score": {"paused": 1.0, "in_flight": 2.0, "queued": 7.0}}


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"/readyz": httpx.Response(200, text="<html>"), "/metrics": httpx.Response(200, text="")},
        {"/readyz": httpx.Response(200, json=[]), "/metrics": httpx.Response(200, text="")},
        {"/readyz": httpx.Response(200, json={}), "/metrics": httpx.Response(500)},
    ],
)
async def test_a_worker_that_does_not_answer_as_it_should_is_none(answers: dict[str, httpx.Response]) -> None:
    async with _worker(answers) as worker:
        assert await look_at(worker) is None


async def test_without_a_worker_there_is_no_view() -> None:
    assert await look_at(None) is None


def test_fields_that_a_form_leaves_empty_do_not_matter() -> None:
    asked = Listed.model_validate({"id": "", "fingerprint": "", "stage": "voc", "whose": "", "state": "", "after": "", "tenant_id": "x"})
    assert asked.query() == {"stage": "voc"}
    assert asked.where(EVERYBODYS) == LetterFilter(stage="voc")
    assert not Choice().chooses


def test_an_operator_of_a_tenant_is_bound_to_it() -> None:
    assert Choice(stage="voc").where(OF_ACME, "open") == LetterFilter(stage="voc", tenant_id="acme", state="open")
    with pytest.raises(NotFound):
        Choice(whose="globex").where(OF_ACME)


@pytest.mark.parametrize("wrong", [{"id": "0"}, {"id": str(1 << 63)}, {"whose": "a b"}, {"state": "lost"}, {"fingerprint": "f" * 250}])
def test_what_no_letter_can_be_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Listed.model_validate(wrong)
