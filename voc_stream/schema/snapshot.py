"""A schema as lines of text, so that what a person altered by hand has a name."""

from __future__ import annotations

from collections.abc import Iterable


def differences(expected: Iterable[str], found: Iterable[str]) -> list[str]:
    """Return one sentence for each line that only one of the two schemas has, in order."""
    wanted, there = set(expected), set(found)
    return [f"missing: {line}" for line in sorted(wanted - there)] + [f"not from a migration: {line}" for line in sorted(there - wanted)]
