"""With speech recognition: what was said lies in S3 and goes to `voc.calls`, once, with who said it when."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping

import msgspec
import pytest

from tests.integration.pipeline.own_processes import scoring_process
from tests.integration.pipeline.pipeline import Pipeline, decoded
from tests.integration.pipeline.store import BucketView
from voc_stream import topics
from voc_stream.events.base import derived_id


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A scoring service with words; the session's own has none, to be quick."""
    with scoring_process(tmp_path_factory.mktemp("scoring"), {"SCORER_ASR": "tiny.en"}) as endpoints:
        yield endpoints


@pytest.fixture
def worker_settings(scorer: Mapping[str, str]) -> Mapping[str, str]:
    return scorer


async def test_a_scored_call_has_its_transcript_in_s3_and_one_event_in_voc_calls(pipeline: Pipeline, bucket: BucketView) -> None:
    (call,) = await pipeline.record("stereo", dialogue="praise_short", service="globex-care")
    (silent,) = await pipeline.record("silent", seconds=5)
    call_id = call["inum"]
    rows = await pipeline.until_settled([call_id, silent["inum"]])

    async def told() -> bool:
        return bool(await pipeline.read(topics.VOC_CALLS, [call_id]))

    await pipeline.until("an event in voc.calls", told)
    findings = await pipeline.audit.examine([call_id, silent["inum"]])
    assert findings.problems == []
    (record,) = await pipeline.read(topics.VOC_CALLS, [call_id])
    event = decoded(record)
    started = call["started_at"][:10].replace("-", "/")
    assert rows[call_id].transcript_key == f"transcripts/{started}/{call_id}_whisper-tiny.en.json"
    stored = await bucket.object(str(rows[call_id].transcript_key))
    assert (stored.encryption, stored.tags["call_id"]) == ("AES256", call_id)
    transcript = msgspec.json.decode(stored.body)

    assert event["event_type"] == "call"
    assert uuid.UUID(event["event_id"]) == derived_id("globex", call_id)
    assert (event["tenant_id"], event["call_id"], event["agent_id"]) == ("globex", call_id, call["agent"].partition(" ")[0])
    assert event["turns"] == transcript["turns"]
    assert {turn["speaker"] for turn in event["turns"]} == {"agent", "customer"}
    assert [turn["start"] for turn in event["turns"]] == sorted(turn["start"] for turn in event["turns"])
    assert all(0 <= turn["start"] < turn["end"] <= call["seconds"] + 1 for turn in event["turns"])
    assert abs(event["duration"] - call["seconds"]) < 0.2
    said, heard = _words(" ".join(turn["text"] for turn in call["turns"])), _words(event["transcript"])
    assert len(said & heard) / len(said) > 0.6, f"{said=} {heard=}"
    assert await pipeline.read(topics.VOC_CALLS, [silent["inum"]]) == []


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z']+", text.lower()))
