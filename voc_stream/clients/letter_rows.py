"""What PostgreSQL tells of dead letters, and how they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

State: TypeAlias = Literal["open", "requeued", "discarded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which letters; what is None (or empty) does not matter.

    Attributes:
        ids: these only.
        topic: the source's name.
        since: failed last at or after this.
        until: failed last before this.
        state: what became of it.
    """

    ids: Sequence[int] = ()
    fingerprint: str | None = None
    topic: str | None = None
    stage: str | None = None
    tenant_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: State | None = None

    @property
    def chooses(self) -> bool:
        """Whether anything but the state is asked for: without, it is every letter there is."""
        return bool(self.ids) or any((self.fingerprint, self.topic, self.stage, self.tenant_id, self.since, self.until))


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterRow:
    """A letter without the original; see `StoredLetter`."""

    id: int
    state: State
    topic: str
    partition: int | None
    offset: int | None
    stage: str
    tenant_id: str | None
    call_id: str | None
    error_type: str
    reason: str
    fingerprint: str
    retries: int
    first_failed_at: datetime
    last_failed_at: datetime
    cut_from: int | None
    requeues: int
    requeued_from: int | None
    requeued_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Letters of one fingerprint: the same failure.

    Attributes:
        reason: of one of them.
        count: letters.
        open: those of them that are neither sent back nor discarded.
        tenants: how many; those that are not known are none.
        first: when the first failed.
        last: when the last failed.
    """

    fingerprint: str
    stage: str
    error_type: str
    reason: str
    count: int
    open: int
    tenants: int
    first: datetime
    last: datetime


def describe(row: LetterRow | Group) -> dict[str, Any]:
    """Return a row for JSON: times in ISO."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(row).items()}


def conditions(where: LetterFilter) -> tuple[str, list[object]]:
    """Return an SQL condition on `dead_letter` and its parameters, numbered from $1."""
    asked: tuple[tuple[str, object], ...] = (
        ("id = ANY({}::bigint[])", list(where.ids) or None),
        ("fingerprint = {}", where.fingerprint),
        ("topic = {}", where.topic),
        ("stage = {}", where.stage),
        ("tenant_id = {}", where.tenant_id),
        ("last_failed_at >= {}", where.since),
        ("last_failed_at < {}", where.until),
        ("state = {}", where.state),
    )
    given = [(condition, value) for condition, value in asked if value is not None]
    text = " AND ".join(condition.format(f"${number}") for number, (condition, _) in enumerate(given, start=1))
    return text or "true", [value for _, value in given]
