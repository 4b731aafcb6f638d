"""Asks the recorder for calls and publishes them to `calls.polled`; the checkpoint moves only after the acknowledgement (spec section 2.1)."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

from voc_stream.events.base import encode
from voc_stream.events.calls import RawCall
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.dead_letter import PREFIX, dead_letter_topic, fingerprint
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.stage import Publishes
from voc_stream.security.vault import Vault, on_the_wire
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.settings import Settings
from voc_stream.stages.keys import call_id_of
from voc_stream.stages.outcome import DeadLetter
from voc_stream.stages.outside import BadRecord, SearchResult, Segment
from voc_stream.stages.poll import Timing, Window, halves, pause_after, raw_call, sliding_windows, sweep_windows, swept_up_to
from voc_stream.tracing.current import Span, within
from voc_stream.tracing.names import STAGE, TENANT_ID
from voc_stream.tracing.tracing import OFF, Tracing

logger = get_logger(__name__)

WINDOW = 1
SWEEP = 2
MOST_REMEMBERED = 200_000
# What is longer is cut, so that one record of the recorder's can never be too large for Kafka and stop the polling.
LONGEST_UDFS = 64_000
LONGEST_XML = 512 << 10


class Searches(Protocol):
    """What polling needs of the recorder."""

    async def search(self, start: datetime, end: datetime) -> SearchResult:
        """Segments by start."""


class Checkpoints(Protocol):
    """What polling needs of the store."""

    async def checkpoint(self, checkpoint_id: int) -> tuple[datetime, datetime] | None:
        """Where polling stands."""

    async def save_checkpoint(self, checkpoint_id: int, polled_from: datetime, polled_to: datetime) -> None:
        """Remember where it stands; never backwards."""


def timing_of(settings: Settings) -> Timing:
    """Return the pace of polling."""
    return Timing(
        window=settings.avaya_window_seconds,
        guard=settings.avaya_guard_seconds,
        sweep=settings.avaya_sweep_seconds,
        longest_call=settings.avaya_max_call_seconds,
        largest_window=settings.avaya_catch_up_seconds,
    )


def sealed_call(segment: Segment, recorder_id: str, vault: Vault, tenants: TenantsFile) -> RawCall | None:
    """Return what `calls.polled` gets of a segment, its customer data sealed; None for one without an end."""
    call_id = call_id_of(segment.inum, recorder_id)
    udfs = segment.udfs[:LONGEST_UDFS]
    if len(udfs) < len(segment.udfs):
        logger.warning("the customer data of a call is too long and is cut", call_id=call_id, kept=LONGEST_UDFS, of=len(segment.udfs))
    sealed = vault.seal(udfs, bound_to=on_the_wire(call_id)) if udfs else ""
    return raw_call(segment, call_id=call_id, tenant_id=tenants.current().tenant_of(segment.service, segment.skill), sealed_udfs=sealed)


class Poller:
    """Polls windows and sweeps, and publishes what is new to this process; dedup takes care of the rest."""

    def __init__(
        self,
        *,
        recorder: Searches,
        checkpoints: Checkpoints,
        publisher: Publishes,
        vault: Vault,
        tenants: TenantsFile,
        settings: Settings,
        topic: str,
        tracing: Tracing = OFF,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recorder = recorder
        self._checkpoints = checkpoints
        self._publisher = publisher
        self._vault = vault
        self._tenants = tenants
        self._settings = settings
        self._topic = topic
        self._tracing = tracing
        self._now = now
        self._clock = clock
        self._timing = timing_of(settings)
        self._published: OrderedDict[str, None] = OrderedDict()
        self._slowest = {"window": 0.0, "sweep": 0.0}

    async def poll(self) -> int:
        """Search the sliding window, from the checkpoint on; returns how many calls were published.

        Raises:
            OutsideError: the recorder, Kafka or PostgreSQL failed; what was acknowledged before stays, the rest is polled again.
        """
        stored = await self._checkpoints.checkpoint(WINDOW)
        published = 0
        for window in sliding_windows(stored[1] if stored else None, self._now(), self._timing):
            published += await self._search("window", window)
            await self._checkpoints.save_checkpoint(WINDOW, window.start, window.end)
            metrics.INGEST_LAG.set((self._now() - window.end).total_seconds())
        return published

    async def sweep(self) -> int:
        """Search the starts of calls that were too long for the sliding window; returns how many calls were published.

        Raises:
            OutsideError: as for `poll`.
        """
        stored = await self._checkpoints.checkpoint(SWEEP)
        now = self._now()
        published = 0
        for window in sweep_windows(stored[1] if stored else None, now, self._timing):
            published += await self._search("sweep", window)
            await self._checkpoints.save_checkpoint(SWEEP, window.start, swept_up_to(window, now, self._timing))
        return published

    def poll_pause(self) -> float:
        """Return the seconds until the next poll: AVAYA_POLL_SECONDS, or more after a slow search."""
        return self._pause("window", self._settings.avaya_poll_seconds)

    def sweep_pause(self) -> float:
        """Return the seconds until the next sweep: AVAYA_SWEEP_SECONDS, or more after a slow search."""
        return self._pause("sweep", self._settings.avaya_sweep_seconds)

    def _pause(self, kind: str, period: float) -> float:
        pause = pause_after(self._slowest[kind], period)
        if pause > period:
            logger.info("the recorder is slow: it is asked more rarely", searches=kind, slowest=round(self._slowest[kind], 1), pause=round(pause))
        self._slowest[kind] = 0.0
        metrics.POLL_PAUSE.labels(kind).set(pause)
        return pause

    async def _search(self, kind: str, window: Window) -> int:
        began, began_ns = self._clock(), time.time_ns()
        try:
            result = await self._recorder.search(window.start, window.end)
        except Exception:
            metrics.POLLS.labels(kind, "failed").inc()
            raise
        # Of searches that were answered: after those that were not, the gate says when it is time again.
        self._slowest[kind] = max(self._slowest[kind], self._clock() - began)
        metrics.POLLS.labels(kind, "capped" if result.capped else "ok").inc()
        if result.capped and (parts := halves(window)) is not None:
            return await self._search(kind, parts[0]) + await self._search(kind, parts[1])
        if result.capped:
            logger.error("more calls start in one second than the recorder tells of: some are missing", start=window.start.isoformat())
        published = await self._publish(result, began_ns)
        metrics.POLLED_CALLS.labels(kind).inc(published)
        metrics.POLL_SECONDS.labels(kind).observe(self._clock() - began)
        return published

    async def _publish(self, result: SearchResult, began_ns: int) -> int:
        calls = [call for segment in result.segments if (call := self._new_call(segment)) is not None]
        rejects = [reject for reject in result.rejects if _name(reject) not in self._published]
        spans = [self._tracing.call("poll", call.call_id, {STAGE: "poll", TENANT_ID: call.tenant_id}, began_ns=began_ns) for call in calls]
        records = [
            Outgoing(self._topic, call.call_id.encode(), encode(call), span.headers if span else ()) for call, span in zip(calls, spans, strict=True)
        ]
        with _told(spans):
            await self._publisher.publish([*records, *(self._dead_letter(reject) for reject in rejects)])
        self._remember([*(call.call_id for call in calls), *map(_name, rejects)])
        for reject in rejects:
            metrics.DEAD_LETTERS.labels("poll", "malformed").inc()
            logger.warning("the recorder told of a call that cannot be read", call_id=reject.inum, reason=reject.reason)
        return len(calls)

    def _new_call(self, segment: Segment) -> RawCall | None:
        if segment.ended_at is None or call_id_of(segment.inum, self._settings.avaya_recorder_id) in self._published:
            return None
        return sealed_call(segment, self._settings.avaya_recorder_id, self._vault, self._tenants)

    def _dead_letter(self, reject: BadRecord) -> Outgoing:
        letter, now = DeadLetter("malformed", reject.reason), self._now().isoformat()
        headers = {
            "error-type": letter.error_type,
            "reason": letter.reason,
            "stage": "poll",
            "retries": "0",
            "topic": self._topic,
            "first-failure": now,
            "last-failure": now,
            "fingerprint": fingerprint("poll", letter),
        }
        if len(reject.xml) > LONGEST_XML:
            headers["cut-from-bytes"] = str(len(reject.xml))
        added = tuple((f"{PREFIX}{name}", value.encode()) for name, value in headers.items())
        return Outgoing(dead_letter_topic(self._topic), reject.inum.encode() or None, reject.xml[:LONGEST_XML], added)

    def _remember(self, names: Iterable[str]) -> None:
        for name in names:
            self._published[name] = None
        while len(self._published) > MOST_REMEMBERED:
            self._published.popitem(last=False)


@contextmanager
def _told(spans: Sequence[Span | None]) -> Iterator[None]:
    """End the spans with the block: then the calls are on their way, or are polled again."""
    try:
        with within(spans):
            yield
    finally:
        for span in spans:
            if span is not None:
                span.end()


def _name(reject: BadRecord) -> str:
    return f"reject:{hashlib.sha256(reject.xml).hexdigest()}"
