"""What would become of dead letters if they went back now: each is replayed through its stage's pure part, and nothing is sent (spec section 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from voc_stream.clients.letter_rows import LetterFilter, LetterRow
from voc_stream.errors import RejectedError
from voc_stream.runtime.dead_letter import fingerprint
from voc_stream.services.requeue import Letters, obstacle
from voc_stream.services.trial import Standing, Trials, standing
from voc_stream.stages.outcome import DeadLetter, Facts

AT_ONCE = 100
# Of a group, so many different reasons are told.
MOST_REASONS = 20


@dataclass(slots=True)
class Tried:
    """Letters of one fingerprint, and how they stand today.

    Attributes:
        reason: of one of them, when it failed.
        passes: would pass.
        fails: would fail again.
        unknown: nothing is wrong with the record; whether the outside takes it, only a requeue tells.
        barred: cannot be sent back, whatever the stage would say.
        today: why those that fail or are barred do so, a sample sentence for each kind, and how many.
    """

    fingerprint: str
    stage: str
    error_type: str
    reason: str
    letters: int = 0
    passes: int = 0
    fails: int = 0
    unknown: int = 0
    barred: int = 0
    today: Counter[str] = field(default_factory=Counter)
    _samples: dict[str, str] = field(default_factory=dict, repr=False)

    def bar(self, why: str) -> None:
        """Count a letter that cannot be sent back."""
        self.letters += 1
        self.barred += 1
        self._tell(why, why)

    def count(self, stands: Standing, now: DeadLetter | None) -> None:
        """Count a letter that was tried; `now` is why it fails today."""
        self.letters += 1
        match stands:
            case Standing.PASSES:
                self.passes += 1
            case Standing.UNKNOWN:
                self.unknown += 1
            case Standing.FAILS:
                self.fails += 1
        if now is not None:
            self._tell(fingerprint(self.stage, now), f"{now.error_type}: {now.reason}")

    def _tell(self, kind: str, sentence: str) -> None:
        if kind not in self._samples and len(self._samples) >= MOST_REASONS:
            kind, sentence = "", "other reasons"
        self.today[self._samples.setdefault(kind, sentence)] += 1


@dataclass(slots=True)
class Findings:
    """What a dry run found so far.

    Attributes:
        groups: by fingerprint, in the order of their newest letters.
        complete: whether there is no further letter.
    """

    groups: dict[str, Tried] = field(default_factory=dict)
    complete: bool = False

    def total(self, what: str) -> int:
        """Return the sum of a figure over the groups: letters, passes, fails, unknown or barred."""
        return sum(int(getattr(group, what)) for group in self.groups.values())

    def described(self) -> dict[str, Any]:
        """Return it for JSON."""
        figures = ("letters", "passes", "fails", "unknown", "barred")
        groups = [
            {"fingerprint": group.fingerprint, "stage": group.stage, "error_type": group.error_type, "reason": group.reason}
            | {name: getattr(group, name) for name in figures}
            | {"today": [{"reason": reason, "letters": count} for reason, count in group.today.most_common()]}
            for group in self.groups.values()
        ]
        return {name: self.total(name) for name in figures} | {"complete": self.complete, "groups": groups}


class DryRun:
    """Tries open letters.

    Args:
        letters: the stored ones.
        trials: today's code and settings.
        most_requeues: DLQ_MAX_REQUEUES.
        now: the time; replaced in tests.
    """

    def __init__(self, *, letters: Letters, trials: Trials, most_requeues: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._letters = letters
        self._trials = trials
        self._most_requeues = most_requeues
        self._now = now

    async def run(self, where: LetterFilter, *, limit: int | None = None) -> AsyncGenerator[Findings, None]:
        """Try open letters, newest first; tells after each page what it found so far.

        Args:
            where: which; their state is given.
            limit: how many at most.

        Raises:
            OutsideError: PostgreSQL failed, or a key is missing.
        """
        found, after = Findings(), None
        yield found
        while left := AT_ONCE if limit is None else min(AT_ONCE, limit - found.total("letters")):
            page = await self._letters.find(replace(where, state="open"), left, after)
            for row in page:
                await self._count(row, found)
            found.complete = len(page) < left
            yield found
            if found.complete:
                return
            after = page[-1].id

    async def _count(self, row: LetterRow, found: Findings) -> None:
        group = found.groups.setdefault(row.fingerprint, Tried(row.fingerprint, row.stage, row.error_type, row.reason))
        if why := obstacle(row, self._most_requeues):
            group.bar(why)
            return
        try:
            letter = await self._letters.get(row.id)
        except RejectedError:
            group.bar("what is stored of it cannot be read")
            return
        if letter is None:  # it went meanwhile
            return
        facts = Facts(self._now(), row.topic, row.partition or 0, row.offset or 0)
        outcome = self._trials.outcome(letter.value, facts)
        group.count(standing(outcome, row.error_type), outcome if isinstance(outcome, DeadLetter) else None)
