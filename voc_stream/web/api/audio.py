"""`GET /calls/{call_id}/audio`: a recording by range requests, streamed from S3; there is no link that works without a credential (docs/api.md)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from voc_stream.errors import RejectedError
from voc_stream.services.reading_answers import RecordingShown
from voc_stream.web.api.here import AskedTenant, AtReadings, CallId
from voc_stream.web.desk import AtDesk, Desk
from voc_stream.web.problems import MEDIA_TYPE, NotFound, Problem
from voc_stream.web.ranges import ByteRange, UnsatisfiableError, asked_range, is_known, range_holds
from voc_stream.web.recording import OpenRecording, RecordingResponse
from voc_stream.web.who import Reader, audit

# A player asks for one recording by many ranges: one row of the audit log tells of them.
TOLD_ONCE_IN = 60.0

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BYTES: dict[str, Any] = {"audio/*": _BINARY, "application/octet-stream": _BINARY}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The recording.", "content": _BYTES},
    206: {"description": "The range of it that was asked for.", "content": _BYTES},
    304: {"description": "It is what `If-None-Match` says."},
    416: {"description": "It has no such bytes.", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}},
}

router = APIRouter(tags=["calls"])


@router.get("/calls/{call_id}/audio", summary="A call's recording", response_class=Response, responses=_ANSWERS)
async def audio(
    *,
    request: Request,
    call_id: CallId,
    caller: Reader,
    readings: AtReadings,
    desk: AtDesk,
    asked: AskedTenant,
    range_: Annotated[str | None, Header(alias="Range", max_length=256)] = None,
    if_range: Annotated[str | None, Header(max_length=256)] = None,
    if_none_match: Annotated[str | None, Header(max_length=1024)] = None,
) -> Response:
    """Return a recording, or the one range of it that `Range` asks for."""
    tenant = caller.tenant(asked.tenant_id)
    found = await readings.call.recording(tenant, call_id)
    if found is None:
        raise NotFound
    recording, key = found
    headers = _headers(recording)
    if is_known(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    part = _part(range_ if range_holds(if_range, headers["ETag"]) else None, recording)
    await audit(request, caller, "recording heard", {}, subject=f"call {call_id}", tenant=tenant, once_in=TOLD_ONCE_IN)
    return await _answer(desk, key, recording, part, headers)


@router.head("/calls/{call_id}/audio", summary="How long a call's recording is", response_class=Response, responses={200: {"content": None}})
async def audio_head(call_id: CallId, caller: Reader, readings: AtReadings, desk: AtDesk, asked: AskedTenant) -> Response:
    """Return the head of the answer that GET would give without a range."""
    found = await readings.call.recording(caller.tenant(asked.tenant_id), call_id)
    if found is None:
        raise NotFound
    recording, key = found
    opened = await _open(desk, key, ByteRange(0, 0))
    await opened.close()
    return Response(headers=_headers(recording) | {"Content-Length": str(recording.size_bytes)}, media_type=opened.media_type)


def _headers(recording: RecordingShown) -> dict[str, str]:
    # The hash is the recording's own: another one under the same name has another.
    return {"Accept-Ranges": "bytes", "ETag": f'"{recording.sha256.strip()}"', "Cache-Control": "private, no-store", "Content-Disposition": "inline"}


def _part(header: str | None, recording: RecordingShown) -> ByteRange | None:
    try:
        return asked_range(header, recording.size_bytes)
    except UnsatisfiableError:
        size = recording.size_bytes
        raise Problem(416, f"the recording has {size} bytes", headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}) from None


async def _answer(desk: Desk, key: str, recording: RecordingShown, part: ByteRange | None, headers: dict[str, str]) -> Response:
    size = recording.size_bytes
    if size == 0:
        return Response(headers=headers)
    sent = part or ByteRange(0, size - 1)
    opened = await _open(desk, key, sent)
    headers = headers | {"Content-Length": str(opened.stream.size)}
    if part is None:
        return RecordingResponse(opened, 200, headers)
    return RecordingResponse(opened, 206, headers | {"Content-Range": f"bytes {sent.first}-{sent.last}/{size}"})


async def _open(desk: Desk, key: str, part: ByteRange) -> OpenRecording:
    try:
        return await OpenRecording.of(desk.objects, key, part.first, part.last)
    except RejectedError:
        raise NotFound("the recording is kept no longer") from None
