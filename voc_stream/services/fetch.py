"""One recording: known already, copied, not there yet, or failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from voc_stream.clients.call_privacy import CallPrivacy
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.object_store import ObjectStore
from voc_stream.errors import NotThereYetError, OutsideError
from voc_stream.events.calls import EnrichedCall
from voc_stream.runtime import metrics
from voc_stream.runtime.limit import Limit
from voc_stream.settings import Settings
from voc_stream.stages import download
from voc_stream.stages.keys import inum_of
from voc_stream.stages.outcome import DeadLetter, Drop, Facts, Ok, Outcome, Retry
from voc_stream.stages.outside import Copied
from voc_stream.stages.retry import RetryPolicy
from voc_stream.tracing.current import told_as

FORGOTTEN = "forgotten"


class Copies(Protocol):
    """What fetching needs of the recordings."""

    async def copy(self, call: EnrichedCall, inum: str, on_read: Callable[[], None], on_answer: Callable[[], None]) -> Copied:
        """From the recorder into S3; `on_answer` is called when the recorder has begun to send, `on_read` when it has sent everything."""


class Fetcher:
    """Brings a call's recording into S3, once.

    No more recordings are read from the recorder at a time than `places` has. A place is free again when the recorder has sent everything, so that
    S3, PostgreSQL and Kafka take nothing from the recorder's concurrency; what the places are measured by is the time until it begins to send, which
    the length of the recording has no part in.
    """

    def __init__(
        self,
        *,
        store: CallStore,
        recordings: Copies,
        privacy: CallPrivacy,
        objects: ObjectStore,
        places: Limit,
        settings: Settings,
        topic: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._recordings = recordings
        self._privacy = privacy
        self._objects = objects
        self._recorder_id = settings.avaya_recorder_id
        self._places = places
        self._policy = RetryPolicy(attempts=settings.download_attempts)
        self._patience = download.Patience(
            retry=timedelta(seconds=settings.avaya_missing_retry_seconds), give_up=timedelta(seconds=settings.avaya_missing_after)
        )
        self._topic = topic
        self._now = now

    async def fetch(self, call: EnrichedCall, facts: Facts) -> Outcome:
        """Return what the recording's copying came to.

        Raises:
            OutsideError: recorder, S3 or PostgreSQL failed.
        """
        if (await self._privacy.standing(call)).forgotten:
            return Drop(FORGOTTEN)
        stored = await self._store.asset(call.call_id)
        if stored is not None:
            return download.again(call, stored, facts, self._topic)
        try:
            copied = await self._copy(call)
        except NotThereYetError:
            return download.absent(call, await self._store.first_missing_at(call.call_id), facts, self._patience)
        metrics.DOWNLOADED_BYTES.inc(copied.size)
        if (await self._privacy.standing(call)).forgotten:
            await self._objects.delete_versions([copied.key])
            return Drop(FORGOTTEN)
        now = self._now()
        outcome = download.accept(call, copied, replace(facts, now=now), self._topic)
        if isinstance(outcome, Ok):
            metrics.INGEST_DELAY.observe((now - call.started_at).total_seconds())
        return outcome

    @told_as("recorder to s3")
    async def _copy(self, call: EnrichedCall) -> Copied:
        async with self._places.place() as place:
            began = time.monotonic()
            copied = await self._recordings.copy(call, inum_of(call.call_id, self._recorder_id), place.free, place.answered)
        metrics.DOWNLOAD_LATENCY.observe((time.monotonic() - began) * 1000)
        return copied

    def failed(self, call: EnrichedCall, error: OutsideError, facts: Facts, chance: float) -> Retry | DeadLetter:
        """Judge a failed attempt."""
        return download.failed(call, error, facts, chance, self._policy)
