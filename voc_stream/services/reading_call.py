"""One call with all that is known of it (spec section 4)."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from voc_stream.clients.call_rows import Details
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Connection, Database
from voc_stream.errors import OutsideError, RejectedError
from voc_stream.events.calls import Transcript
from voc_stream.security.vault import SealError
from voc_stream.services.export import LARGEST_TRANSCRIPT
from voc_stream.services.originals import Originals
from voc_stream.services.reading_answers import (
    CallShown,
    Composed,
    Felt,
    ItemShown,
    RecordingShown,
    ScoreCard,
    Segment,
    TranscriptShown,
    TurnShown,
    Version,
)
from voc_stream.services.reading_calls import call_row
from voc_stream.stages.export import read_transcript

MOST_SEGMENTS = 100
_MOST_VERSIONS = 50

_CALL = """
SELECT call_id, started_at, ended_at, extract(epoch FROM ended_at - started_at)::double precision AS seconds, call.agent_id,
       agent.full_name AS agent_name, skill, service, status, status_reason AS reason, score, sentiment, composite, topic, switch_call_id
FROM call LEFT JOIN agent ON agent.agent_id = call.agent_id
WHERE tenant_id = $1 AND call_id = $2
"""
_RESULTS = f"""
SELECT outcome, score::double precision, reason, details, model_version, asr_model, scored_at, latency_ms, transcript_key
FROM scoring_result WHERE call_id = $1 ORDER BY scored_at DESC, id DESC LIMIT {_MOST_VERSIONS}
"""  # noqa: S608 - a number of our own
_COMPOSITE = """
SELECT sentiment, sentiment_source AS source, heard_at, composite::double precision, weight::double precision
FROM call_composite WHERE tenant_id = $1 AND call_id = $2 AND heard_at IS NOT NULL
"""
_RECORDING = """
SELECT duration_seconds::double precision AS seconds, codec, sample_rate, channels, size_bytes, sha256, s3_key
FROM audio_asset WHERE call_id = (SELECT call_id FROM call WHERE tenant_id = $1 AND call_id = $2) AND status = 'READY'
"""
_SEGMENTS = f"""
SELECT call_id, started_at, ended_at, agent_id, status, score FROM call
WHERE tenant_id = $1 AND switch_call_id <> '' AND switch_call_id = $2
ORDER BY started_at, id LIMIT {MOST_SEGMENTS}
"""  # noqa: S608

_details = msgspec.json.Decoder(Details)


class CallReading:
    """Tells of one call. Its methods raise `OutsideError`s.

    Args:
        db: the pool.
        objects: where transcripts lie.
        originals: where they lie as they were said.
    """

    def __init__(self, db: Database, objects: ObjectStore, originals: Originals) -> None:
        self._db = db
        self._objects = objects
        self._originals = originals

    async def read(self, tenant_id: str, call_id: str, *, original: bool = False) -> CallShown | None:
        """Return a tenant's call; None if the tenant has no such call.

        Args:
            tenant_id: whose.
            call_id: which.
            original: with the transcript as it was said, where that is kept; whoever asks for it must be allowed to.
        """
        async with self._db.transaction() as connection:
            call = await connection.fetchrow(_CALL, tenant_id, call_id)
            if call is None:
                return None
            results = await connection.fetch(_RESULTS, call_id)
            found = await _around(connection, tenant_id, call)
        transcript, trouble = await self._transcript(tenant_id, call_id, results, original=original)
        return CallShown(
            call=call_row(call),
            switch_call_id=call["switch_call_id"] or None,
            score_card=_score_card(results[0]) if results else None,
            versions=[Version.model_validate(dict(row)) for row in results],
            transcript=transcript,
            transcript_trouble=trouble,
            **found,
        )

    async def recording(self, tenant_id: str, call_id: str) -> tuple[RecordingShown, str] | None:
        """Return a call's recording and its key in S3; None if the tenant has no such call, or it has no recording."""
        async with self._db.connection() as connection:
            row = await connection.fetchrow(_RECORDING, tenant_id, call_id)
        return (RecordingShown.model_validate(dict(row)), row["s3_key"]) if row else None

    async def _transcript(
        self, tenant_id: str, call_id: str, results: list[asyncpg.Record], *, original: bool
    ) -> tuple[TranscriptShown | None, str | None]:
        key = next((row["transcript_key"] for row in results if row["transcript_key"]), None)
        try:
            said = await self._originals.original_transcript(tenant_id, call_id) if original else None
            if said is not None:
                return _shown(read_transcript(said), original=True), None
            data = await self._objects.get_bytes(key, LARGEST_TRANSCRIPT) if key else None
            return (None if data is None else _shown(read_transcript(data), original=False)), None
        except (SealError, msgspec.DecodeError):
            return None, "it cannot be read"
        except RejectedError:
            return None, "it is kept no longer"
        except OutsideError as error:
            # The rest of the call is worth seeing without it.
            return None, f"{error.dependency} does not answer"


async def _around(connection: Connection, tenant_id: str, call: asyncpg.Record) -> dict[str, Any]:
    """Return what stands around a call: sentiment, composite, recording, segments."""
    call_id = call["call_id"]
    composite = await connection.fetchrow(_COMPOSITE, tenant_id, call_id)
    recording = await connection.fetchrow(_RECORDING, tenant_id, call_id)
    switch = call["switch_call_id"]
    segments = await connection.fetch(_SEGMENTS, tenant_id, switch) if switch else [call]
    return {
        "felt": Felt.model_validate(dict(composite)) if composite else None,
        "composed": Composed.model_validate(dict(composite)) if composite and composite["composite"] is not None else None,
        "recording": RecordingShown.model_validate(dict(recording)) if recording else None,
        "segments": [Segment.model_validate(dict(row)) for row in segments],
    }


def _score_card(row: asyncpg.Record) -> ScoreCard:
    details = _details.decode(row["details"])
    breakdown = [ItemShown.model_validate(item) for item in msgspec.to_builtins(details.breakdown)]
    return ScoreCard.model_validate({**row, "detail": details.detail, "breakdown": breakdown})


def _shown(transcript: Transcript, *, original: bool) -> TranscriptShown:
    turns = [TurnShown(speaker=turn.speaker, start=turn.start, end=turn.end, text=turn.text) for turn in transcript.turns]
    return TranscriptShown(language=transcript.language, original=original, turns=turns)
