"""A stage of the calls that gives up record after record, of several tenants, stops itself and goes on when they pass again (docs/adr/0017)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from tests.integration.pipeline.pipeline import Pipeline
from tests.tally import Tally
from voc_stream import topics

SERVICES = ("acme-support", "globex-billing", "initech-sales")
EACH = 15
RUN = 6


@pytest.fixture
def worker_settings() -> Mapping[str, str]:
    return {"SELF_PAUSE_RUN": str(RUN), "SELF_PAUSE_SECONDS": "4", "DOWNLOAD_IN_FLIGHT": "4"}


@pytest.mark.chaos
async def test_downloads_that_are_all_refused_pause_their_stage_before_the_topic_is_drained_and_the_rest_passes_when_they_are_not(
    pipeline: Pipeline, tally: Tally
) -> None:
    before = await pipeline.spoken(2)
    await pipeline.until_status(before, "SCORED")
    fault = await pipeline.fault("error", status=400, command="replay")
    made = await asyncio.gather(*(pipeline.spoken(EACH, service=service) for service in SERVICES))
    call_ids = [call_id for calls in made for call_id in calls]

    async def paused() -> bool:
        status, answer = await asyncio.to_thread(pipeline.page, "readyz")
        return status == 503 and any(reason.startswith("download: paused itself") for reason in answer["reasons"])

    await pipeline.until("the stage says that it paused itself", paused)
    assert 'voc_stage_paused{by="self",stage="download"} 1.0' in await asyncio.to_thread(pipeline.worker.metrics)
    assert pipeline.page("healthz")[0] == 200
    await pipeline.mend(fault)

    rows = await pipeline.until_settled(call_ids)
    await pipeline.until_ready()
    given_up = {call_id for call_id, row in rows.items() if str(row.status) == "ERROR"}
    letters = await pipeline.letters(call_ids)
    lettered = [letter.key.decode() for letter in letters.get(f"{topics.CALLS_ENRICHED}.dlq", [])]
    lost = len(call_ids) - sum(str(row.status) == "SCORED" for row in rows.values()) - len(set(lettered))
    tally.count(f"{len(call_ids)} calls, {len(lettered)} dead letters before the pause", lost=lost, duplicated=len(lettered) - len(set(lettered)))
    assert set(lettered) == given_up
    assert RUN <= len(given_up) < len(call_ids) / 2
    assert set(letters) == {f"{topics.CALLS_ENRICHED}.dlq"}
