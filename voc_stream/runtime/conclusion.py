"""Works on what a stage took up until each record has an effect: passed, dropped or dead-lettered (ADR 0002).

Per record the order is: the stage's work; PostgreSQL holds the change; the outputs (or the dead letter) are acknowledged. Retries are made
in place. An outage of a dependency closes its gate and the record waits. A stage that dead-letters too much pauses itself before it writes
the letters (ADR 0017).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeAlias

from voc_stream.errors import BusyError, OutageError, OutsideError, RejectedError, ThrottledError, TransientError
from voc_stream.events.base import encode
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.dead_letter import dead_letter_record, frames
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.letter_writing import write_letters
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.stage import Delivery, Stage, Surroundings
from voc_stream.runtime.traced_calls import attempt_failed, begun, carrying, ending, tell_outcome
from voc_stream.stages.changes import Change
from voc_stream.stages.outcome import DeadLetter, Drop, Ok, Outcome, Retry
from voc_stream.tracing.current import within

logger = get_logger(__name__)

Verdict: TypeAlias = tuple[Delivery, Outcome]
Pause: TypeAlias = Callable[[Awaitable[object]], Awaitable[None]]


class Conclusion:
    """Brings records to their effect.

    Args:
        stage: whose records they are.
        around: what every stage shares.
        pause: waits for a gate, a pause or a further attempt, unless the worker stops.
        progressed: told of each attempt that ended.
    """

    def __init__(self, stage: Stage, around: Surroundings, *, pause: Pause, progressed: Callable[[], None]) -> None:
        self._stage = stage
        self._around = around
        self._pause = pause
        self._progressed = progressed

    async def reach(self, taken: Sequence[tuple[Delivery, DeadLetter | None]]) -> None:
        """Return when each has its effect.

        Args:
            taken: what was decoded, and the letter of what cannot be.
        """
        begun_now = [(begun(self._around.tracing, self._stage.name, delivery), letter) for delivery, letter in taken]
        with ending([delivery for delivery, _ in begun_now]):
            await self._conclude([delivery for delivery, letter in begun_now if letter is None], [(d, letter) for d, letter in begun_now if letter])

    async def _conclude(self, deliveries: Sequence[Delivery], malformed: Sequence[Verdict] = ()) -> None:
        """Work until each delivery has an effect: passed, dropped or dead-lettered; and dead-letter what is malformed."""
        with within(delivery.span for delivery in (*deliveries, *(one for one, _ in malformed))):
            await self._conclude_all(deliveries, malformed)

    async def _conclude_all(self, deliveries: Sequence[Delivery], malformed: Sequence[Verdict]) -> None:
        attempt = 1
        failing_since: datetime | None = None
        served: dict[str, int] = {}
        while True:
            if await self._may_work(*self._stage.needs if deliveries else ()):
                # An outage that others met: the first to fail after it is no more to blame than they are.
                attempt = 1
            now = self._around.now()
            deliveries = [
                replace(delivery, facts=replace(delivery.facts, attempt=attempt, now=now, failing_since=failing_since)) for delivery in deliveries
            ]
            try:
                outcomes = await self._stage.work(deliveries) if deliveries else ()
                retry = await self._settle([*zip(deliveries, outcomes, strict=True), *malformed])
            except _HeldBackError as held:
                deliveries = [delivery for delivery, _ in held.verdicts if delivery.event is not None]
                malformed = [verdict for verdict in held.verdicts if verdict[0].event is None]
                attempt = 1
                continue
            except (OutageError, ThrottledError, BusyError) as error:
                await self._outlast(error)
                attempt = 1
                continue
            except (TransientError, RejectedError) as error:
                if (outage := await self._outage_behind(error)) is not None:
                    await self._outlast(outage)
                    attempt = 1
                    continue
                if len(deliveries) + len(malformed) > 1:
                    await self._one_by_one(deliveries, malformed, error)
                    return
                retry = await self._failed(deliveries[0], error, served)
            if retry is None:
                return
            metrics.RETRIES.labels(self._stage.name).inc()
            self._progressed()  # an attempt that ended is not one that hangs
            await self._pause(self._around.sleep(retry.delay))
            attempt = 1 if retry is _ANEW else attempt + 1
            failing_since = failing_since or now

    async def _one_by_one(self, deliveries: Sequence[Delivery], malformed: Sequence[Verdict], error: OutsideError) -> None:
        logger.info("a chunk failed as a whole: its records are tried one by one", stage=self._stage.name, records=len(deliveries), error=str(error))
        if malformed:
            await self._conclude([], malformed)
        for delivery in deliveries:
            await self._conclude([delivery])

    async def _settle(self, concluded: Sequence[Verdict]) -> Retry | None:
        """Make the outcomes true; what must be tried again is returned (a chunk of one only).

        Raises:
            _HeldBackError: the stage pauses itself rather than write these dead letters; all else is done.
        """
        changes: list[Change] = []
        outgoing: list[Outgoing] = []
        given_up: list[Verdict] = []
        for delivery, outcome in concluded:
            match outcome:
                case Ok(change=change, out=out):
                    changes += [change] if change is not None else []
                    outgoing += [Outgoing(item.topic, item.key.encode(), encode(item.value), carrying(delivery)) for item in out]
                case Drop():
                    pass
                case DeadLetter():
                    given_up.append((delivery, outcome))
                case Retry():
                    if len(concluded) == 1:
                        return outcome
                    raise TransientError(self._stage.name, outcome.reason)
        if changes:
            await self._around.store.apply(changes)
        await self._around.publisher.publish(outgoing)
        self._count([verdict for verdict in concluded if verdict[0].event is not None])
        if not self._may_give_up(given_up, passed=len(concluded) - len(given_up)):
            raise _HeldBackError(given_up)
        await self._give_up(given_up)
        return None

    async def _outage_behind(self, error: OutsideError) -> OutsideError | None:
        """Ask the dependency itself after an attempt that failed: what is down would fail every record, and each would take a time-out to say so."""
        gate = self._around.gates.get(error.dependency)
        return await gate.is_down() if gate is not None and isinstance(error, TransientError) else None

    async def _failed(self, delivery: Delivery, error: OutsideError, served: dict[str, int]) -> Retry | None:
        """Ask the stage what a failed attempt leads to; an outage in disguise closes the gate instead of killing the record.

        Args:
            delivery: the record.
            error: of a dependency that is well when it is asked.
            served: how much each dependency had served this stage when it first failed the record; taken down here.
        """
        gate = self._around.gates.get(error.dependency)
        serving = None if gate is None else gate.serving(self._stage.name)
        if serving is not None and isinstance(error, TransientError):
            serving.failed(delivery.name)
            served.setdefault(error.dependency, serving.served)
        verdict = self._stage.failed(delivery.event, error, delivery.facts, self._around.chance())
        if isinstance(verdict, Retry):
            attempt_failed(delivery, error)
            logger.info("an attempt failed", stage=self._stage.name, **_fields(delivery), attempt=delivery.facts.attempt, reason=verdict.reason)
            return verdict
        if serving is not None:
            if verdict.dependency is not None and serving.nobody(delivery.name, served.get(error.dependency, -1)):
                await self._outlast(error)
                served.clear()
                return _ANEW
            serving.dismiss(delivery.name)
        given_up = [(delivery, replace(verdict, stack=frames(error)))]
        if not self._may_give_up(given_up, passed=0):
            return _ANEW
        await self._give_up(given_up)
        return None

    def _may_give_up(self, given_up: Sequence[Verdict], *, passed: int) -> bool:
        """Tell what became of a chunk; whether its dead letters may be written, or the stage pauses itself."""
        dead = Counter(delivery.tenant_id for delivery, _ in given_up)
        if not self._around.pauses.note(self._stage.name, passed, dead):
            return False
        if dead:
            self._around.pauses.spend(self._stage.name, dead)
        return True

    async def _give_up(self, given_up: Sequence[Verdict]) -> None:
        """Write dead letters, wait for their acknowledgement, then tell PostgreSQL; waits through outages, never skips."""
        for delivery, outcome in given_up:
            if not isinstance(outcome, DeadLetter):
                continue
            record = dead_letter_record(delivery.record, delivery.facts, self._stage.name, outcome)
            await self._through_outages(partial(self._write_letter, record))
            change = outcome.change
            if change is not None:
                try:
                    await self._through_outages(partial(self._around.store.apply, [change]))
                except RejectedError as error:
                    logger.warning("the database refuses a dead letter's status", stage=self._stage.name, reason=str(error))
            tell_outcome(delivery, outcome)
            metrics.DEAD_LETTERS.labels(self._stage.name, outcome.error_type).inc()
            metrics.RECORDS.labels(self._stage.name, "dead_letter").inc()
            logger.warning("dead letter", stage=self._stage.name, **_fields(delivery), error_type=outcome.error_type, reason=outcome.reason)

    async def _write_letter(self, letter: Outgoing) -> None:
        around = self._around
        await write_letters(
            around.publisher,
            [letter],
            stage=self._stage.name,
            kafka=self._gate("kafka"),
            pauses=around.pauses,
            wait=lambda seconds: self._pause(around.sleep(seconds)),
        )

    async def _through_outages(self, act: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await act()
            except (OutageError, ThrottledError, TransientError) as error:
                await self._outlast(error)
            else:
                return

    async def _outlast(self, error: OutsideError) -> None:
        """Close the gate of what failed and wait until it opens, whether or not the stage names it among its needs."""
        gate = self._around.gates.get(error.dependency)
        if gate is None:
            raise error
        gate.close(error)
        await self._pause(gate.passed())

    async def _may_work(self, *needs: str) -> bool:
        """Wait until the stage is not paused and what it needs is well; say whether a gate was closed."""
        pauses, name = self._around.pauses, self._stage.name
        waited = False
        while True:
            if not pauses.is_open(name):
                await self._pause(pauses.passed(name))
            closed = [gate for need in (*needs, "kafka") if not (gate := self._gate(need)).is_open]
            if not closed:
                return waited
            waited = True
            await self._pause(closed[0].passed())

    def _gate(self, dependency: str) -> Gate:
        return self._around.gates[dependency]

    def _measure_hop(self, delivery: Delivery) -> None:
        ended_at: datetime | None = getattr(delivery.event, "ended_at", None)
        if ended_at is not None:
            metrics.HOP_SECONDS.labels(self._stage.name).observe((self._around.now() - ended_at).total_seconds())

    def _count(self, concluded: Sequence[Verdict]) -> None:
        if concluded:
            for name in self._stage.needs:
                self._gate(name).serving(self._stage.name).succeeded()
        for delivery, outcome in concluded:
            tell_outcome(delivery, outcome)
            if isinstance(outcome, Ok):
                self._measure_hop(delivery)
                metrics.RECORDS.labels(self._stage.name, "ok").inc()
            elif isinstance(outcome, Drop):
                metrics.RECORDS.labels(self._stage.name, outcome.reason).inc()


class _HeldBackError(Exception):
    """The stage pauses itself: these records are not dead-lettered now, but tried again after the pause."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        super().__init__(f"{len(verdicts)} dead letters are held back")
        self.verdicts = verdicts


# After an outage the attempts are counted anew: what failed during it is not held against the record.
_ANEW = Retry(reason="the dependency was down", delay=0.0)


def _fields(delivery: Delivery) -> dict[str, object]:
    """Return the log fields that name a record."""
    event = delivery.event
    return {
        "call_id": getattr(event, "call_id", None),
        "tenant_id": getattr(event, "tenant_id", None),
        "topic": delivery.facts.topic,
        "partition": delivery.facts.partition,
        "offset": delivery.facts.offset,
        **({"trace_id": delivery.facts.trace_id} if delivery.facts.trace_id else {}),
    }
