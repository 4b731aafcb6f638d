"""When a stage that dead-letters too much stops itself and when it looks again; when a tenant's dead letters are too many (docs/adr/0017).

One tenant's rubbish must not stop the others: its letters are left out where a stage is judged, and bounded by a rate of their own.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

# Letters by tenant; None where nobody can tell whose the record is.
Dead: TypeAlias = Mapping[str | None, int]

# Tenants in records that cannot be read are made up at will: no more of them are remembered.
MOST_TENANTS = 1000

_TENANT = re.compile(rb'"tenant_id"\s*:\s*"([A-Za-z0-9][A-Za-z0-9._-]{0,63})"')


def tenant_in(value: bytes | None) -> str | None:
    """Return the tenant that a value names, whatever else is wrong with it; None where it names nobody."""
    found = _TENANT.search(value or b"")
    return found[1].decode() if found else None


@dataclass(frozen=True, slots=True)
class PauseRules:
    """When a stage pauses itself. Everywhere, the letters of the tenant that has most of them do not count.

    Args:
        ratio: share of dead letters among the last records.
        sample: so many records are the last ones; whole chunks, so that it may be more.
        run: so many letters at least; when no record passed between them, they are enough whatever the ratio.
        tenants: of so many tenants at least, the one with most letters included.
        seconds: after which one chunk is tried.
    """

    ratio: float = 0.5
    sample: int = 200
    run: int = 30
    tenants: int = 3
    seconds: float = 300.0


class SelfPause:
    """Whether one stage of one worker pauses itself.

    Args:
        rules: when.

    Attributes:
        reason: why it does, for a person; None while it does not.
        until: when it may be tried (by the caller's clock), while it does.
    """

    def __init__(self, rules: PauseRules) -> None:
        self._rules = rules
        self._recent: deque[tuple[int, Dead]] = deque()
        self._records = 0
        self._run: Counter[str | None] = Counter()
        self._trusted_until = float("-inf")
        self.reason: str | None = None
        self.until = 0.0

    def note(self, passed: int, dead: Dead, now: float) -> bool:
        """Count what became of a chunk's records, before its letters are written.

        Args:
            passed: stored, published or dropped.
            dead: cannot pass.
            now: monotonic seconds.

        Returns:
            Whether they may be written. If not, the stage pauses itself, from now on or already, and their records are tried again after it.
        """
        if self.reason is not None:
            return not dead
        self._count(passed, dead)
        if not dead or now < self._trusted_until:
            return True
        self.reason = self._too_many()
        self.until = now + self._rules.seconds
        return self.reason is None

    def may_try(self, now: float) -> bool:
        """Whether it is time to try one chunk."""
        return self.reason is not None and now >= self.until

    def tried(self, passed: int, dead: Dead, now: float) -> None:
        """Note what became of the chunk that was tried; its letters are written, so that the same record is not tried for ever."""
        letters = sum(dead.values())
        if letters and letters >= self._rules.ratio * (letters + passed):
            self.until = now + self._rules.seconds
        else:
            self._begin_anew()

    def resume(self, now: float) -> None:
        """Go on because an operator says so; for `seconds` nothing pauses the stage again."""
        self._trusted_until = now + self._rules.seconds
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.reason = None
        self._recent.clear()
        self._records = 0
        self._run.clear()

    def _count(self, passed: int, dead: Dead) -> None:
        records = passed + sum(dead.values())
        self._recent.append((records, dead))
        self._records += records
        while self._records - self._recent[0][0] >= self._rules.sample:
            self._records -= self._recent.popleft()[0]
        if passed or len(self._run) > MOST_TENANTS:
            self._run.clear()
        else:
            self._run.update(dead)

    def _too_many(self) -> str | None:
        rules = self._rules
        nameless = self._run[None]
        named = _without_none(self._run)
        # In a run nobody else is served: a letter without a tenant counts as a further tenant's, for there is none to be throttled.
        if nameless + named.total() - _most(named) >= rules.run and nameless + len(named) >= rules.tenants:
            return f"{nameless + named.total()} dead letters one after the other, of {_tenants(named, nameless)}"
        if self._records < rules.sample:
            return None
        dead: Counter[str | None] = Counter()
        for _, letters in self._recent:
            dead.update(letters)
        worst = _most(dead)
        others = dead.total() - worst
        named = _without_none(dead)
        if others >= rules.run and others >= rules.ratio * (self._records - worst) and len(named) >= rules.tenants:
            return f"{dead.total()} dead letters among the last {self._records} records, of {_tenants(named, dead[None])}"
        return None


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


@dataclass(slots=True)
class LetterRates:
    """How many dead letters of each tenant may be written: so many a second, after a burst.

    Args:
        per_second: of one tenant.
        burst: seconds' worth that may come at once.
    """

    per_second: float
    burst: float = 30.0
    _buckets: dict[str | None, _Bucket] = field(default_factory=dict)

    def take(self, tenant: str | None, letters: int, now: float) -> int:
        """Return how many of a tenant's letters may be written now; these are taken from its rate."""
        level = self._level(tenant, now)
        allowed = max(0, min(letters, int(level)))
        if allowed:
            self._set(tenant, level - allowed, now)
        return allowed

    def spend(self, tenant: str | None, letters: int, now: float) -> None:
        """Count letters that are written in any case."""
        self._set(tenant, self._level(tenant, now) - letters, now)

    def wait(self, tenant: str | None, now: float) -> float:
        """Return the seconds until one more letter of a tenant may be written."""
        return max(0.0, (1.0 - self._level(tenant, now)) / self.per_second)

    def throttled(self, now: float) -> frozenset[str | None]:
        """Return the tenants that have used up their rate."""
        if not self._buckets:
            return frozenset()
        levels = {tenant: self._level(tenant, now) for tenant in self._buckets}
        for tenant, level in levels.items():
            if level >= self._most:
                del self._buckets[tenant]
        return frozenset(tenant for tenant, level in levels.items() if level < 1.0)

    @property
    def _most(self) -> float:
        return max(1.0, self.per_second * self.burst)

    def _level(self, tenant: str | None, now: float) -> float:
        bucket = self._buckets.get(tenant)
        return self._most if bucket is None else min(self._most, bucket.level + (now - bucket.at) * self.per_second)

    def _set(self, tenant: str | None, level: float, now: float) -> None:
        self._buckets.pop(tenant, None)
        if len(self._buckets) >= MOST_TENANTS:
            del self._buckets[next(iter(self._buckets))]  # the one that had no letter for longest
        self._buckets[tenant] = _Bucket(level, now)


def _without_none(letters: Mapping[str | None, int]) -> Counter[str]:
    return Counter({tenant: count for tenant, count in letters.items() if tenant is not None and count})


def _most(letters: Mapping[str, int] | Mapping[str | None, int]) -> int:
    return max(letters.values(), default=0)


def _tenants(named: Mapping[str, int], nameless: int) -> str:
    counted = f"{len(named)} tenants"
    return f"{counted} and of nobody that can be told" if nameless else counted
