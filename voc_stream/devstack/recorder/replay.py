"""Recordings on their way out, and how they fail on it."""

import asyncio

from aiohttp import web

from voc_stream.devstack.recorder.core import Recorder
from voc_stream.devstack.recorder.faults import Fault
from voc_stream.devstack.recorder.recording import Recording


async def replay(request: web.Request, recorder: Recorder) -> web.StreamResponse:
    """`command=replay&id=<inum>`: the bytes; 404 if there are none, or none yet, as while the call lasts."""
    inum = request.query.get("id", "")
    if not inum:
        return web.Response(status=400, text="replay needs an id")
    now = recorder.now()
    call = recorder.calls.get(inum)
    if call is not None:
        call.replays += 1
    if call is None or call.deleted or not call.over(now) or recorder.faults.take("missing", "replay", now=now, inum=inum):
        return web.Response(status=404, text="no such recording")
    return await _send(request, recorder, call.recording, inum)


async def _send(request: web.Request, recorder: Recorder, recording: Recording, inum: str) -> web.StreamResponse:
    now = recorder.now()
    broken = recorder.faults.take("break", "replay", now=now, inum=inum)
    stalled = recorder.faults.take("stall", "replay", now=now, inum=inum)
    response = web.StreamResponse(headers={"Content-Type": recording.media_type})
    if recorder.faults.take("chunked", "replay", now=now, inum=inum):
        response.enable_chunked_encoding()
    else:
        response.content_length = recording.size
    recorder.replays_in_flight += 1
    recorder.most_replays_in_flight = max(recorder.most_replays_in_flight, recorder.replays_in_flight)
    try:
        await response.prepare(request)
        await _stream(response, recorder, recording, stalled=stalled, broken=broken)
    finally:
        recorder.replays_in_flight -= 1
    if broken is not None and request.transport is not None:
        request.transport.close()
    return response


async def _stream(response: web.StreamResponse, recorder: Recorder, recording: Recording, *, stalled: Fault | None, broken: Fault | None) -> None:
    stall_at = None if stalled is None else min(stalled.after_bytes, recording.size)
    # The last byte is never sent, so that a recording shorter than the mark fails as well.
    end = recording.size if broken is None else min(broken.after_bytes, recording.size - 1)
    sent = 0
    for chunk in recording.chunks():
        if stalled is not None and stall_at is not None and sent <= stall_at <= sent + len(chunk) and stall_at <= end:
            await response.write(chunk[: stall_at - sent])
            recorder.bytes_sent += stall_at - sent
            await _stall(stalled)
            chunk, sent, stall_at = chunk[stall_at - sent :], stall_at, None  # noqa: PLW2901 (what is left of it)
        piece = chunk[: end - sent]
        await response.write(piece)
        recorder.bytes_sent += len(piece)
        sent += len(piece)
        if sent >= end:
            return


async def _stall(fault: Fault) -> None:
    """Nothing for some seconds, or until the client gives up, which cancels us."""
    await (asyncio.Event().wait() if fault.seconds is None else asyncio.sleep(fault.seconds))
