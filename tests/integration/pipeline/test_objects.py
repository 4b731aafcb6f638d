"""What lies in S3 of a call: where it should be, byte for byte what the recorder gave, tagged, encrypted, described."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from tests.integration.pipeline.pipeline import Pipeline, decoded
from tests.integration.pipeline.store import BucketView
from voc_stream import topics

# Codec and channels by kind, as a probe names them.
FORMATS = {
    "stereo": ("pcm_s16le", 2),
    "mono": ("pcm_s16le", 1),
    "pcm8": ("pcm_u8", 2),
    "mulaw": ("pcm_mulaw", 2),
    "alaw": ("pcm_alaw", 2),
    "gsm": ("gsm_ms", 1),
    "mp3": ("mp3", 2),
    "opus": ("opus", 2),
}


async def test_recordings_of_every_format_lie_under_their_date_hashed_tagged_encrypted_and_described(pipeline: Pipeline, bucket: BucketView) -> None:
    made = [(await pipeline.record(kind, dialogue="praise_short"))[0] for kind in FORMATS]
    rows = await pipeline.until_settled([call["inum"] for call in made])
    for call in made:
        codec, channels = FORMATS[call["kind"]]
        key = f"raw/{datetime.fromisoformat(call['started_at']).astimezone(UTC):%Y/%m/%d}/{call['inum']}.wav"
        assert rows[call["inum"]].s3_key == key
        found = await bucket.object(key)
        assert found.sha256 == call["sha256"]
        assert found.size == call["size"]
        assert found.encryption == "AES256"
        agent_id = call["agent"].partition(" ")[0]
        assert found.tags == {"call_id": call["inum"], "agent_id": agent_id, "date": key[4:14].replace("/", "-"), "sha256": call["sha256"]}
        assert (found.metadata["codec"], abs(float(found.metadata.get("duration", call["seconds"])) - call["seconds"]) < 0.2) == (codec, True)
        asset = await pipeline.row("SELECT * FROM audio_asset WHERE call_id = $1", call["inum"])
        assert (asset["sha256"], asset["codec"], asset["sample_rate"], asset["channels"], asset["size_bytes"], asset["status"]) == (
            call["sha256"], codec, asset["sample_rate"], channels, call["size"], "READY",
        )  # fmt: skip
        assert abs(float(asset["duration_seconds"]) - call["seconds"]) < 0.2


async def test_a_long_recording_passes_as_a_multipart_upload_and_leaves_no_part_behind(pipeline: Pipeline, bucket: BucketView) -> None:
    (call,) = await pipeline.record("hold_music", seconds=900)
    await pipeline.until_settled([call["inum"]])
    key = str((await pipeline.audit.rows([call["inum"]]))[call["inum"]].s3_key)
    found = await bucket.object(key)
    assert call["size"] > 2 * pipeline.settings.s3_part_bytes
    assert (found.sha256, found.tags["sha256"], found.encryption) == (call["sha256"], call["sha256"], "AES256")
    assert "-" in found.etag
    assert await bucket.open_uploads() == []


async def test_a_recording_without_a_length_is_copied_whole(pipeline: Pipeline, bucket: BucketView) -> None:
    fault = await pipeline.fault("chunked", command="replay")
    (call,) = await pipeline.record("stereo", dialogue="praise_short")
    rows = await pipeline.until_status([call["inum"]], "SCORED")
    await pipeline.mend(fault)
    assert (await bucket.object(str(rows[call["inum"]].s3_key))).sha256 == call["sha256"]


async def test_every_topic_says_the_same_of_a_call_with_one_record_each(pipeline: Pipeline) -> None:
    (call,) = await pipeline.record("stereo", dialogue="praise_short", service="acme-support", skill="billing")
    call_id = call["inum"]
    rows = await pipeline.until_settled([call_id])
    names = (topics.CALLS_POLLED, topics.CALLS_RAW, topics.CALLS_ENRICHED, topics.AUDIO_READY, topics.SCORING_RESULTS)
    found = await asyncio.gather(*(pipeline.read(name, [call_id]) for name in names))
    assert [len(records) for records in found] == [1, 1, 1, 1, 1]
    polled, raw, enriched, ready, result = (decoded(records[0]) for records in found)
    assert polled == raw
    assert raw["raw_agent"] == call["agent"]
    assert _moments(raw) == _moments(enriched) == _moments(ready) == _moments(result) == (call["started_at"], call["ended_at"])
    assert all(value["tenant_id"] == "acme" and value["switch_call_id"] == call["switch_call_id"] for value in (raw, enriched, ready, result))
    assert {value["ingest_uuid"] for value in (raw, enriched, ready, result)} == {raw["ingest_uuid"]}
    assert (enriched["agent_id"], enriched["skill"], enriched["service"]) == (call["agent"].partition(" ")[0], "billing", "acme-support")
    assert (ready["sha256"], ready["size_bytes"], ready["s3_key"]) == (call["sha256"], call["size"], rows[call_id].s3_key)
    assert ready["ingest_delay_ms"] >= 1000 * (call["seconds"] - 1)
    assert (result["outcome"], result["score"]) == ("SCORED", rows[call_id].score)
    assert sum(item["max_points"] for item in result["breakdown"]) == 100


def _moments(value: dict[str, Any]) -> tuple[str, str]:
    started, ended = (datetime.fromisoformat(value[name]).astimezone(UTC).isoformat() for name in ("started_at", "ended_at"))
    return started, ended
