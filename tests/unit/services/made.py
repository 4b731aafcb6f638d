"""What service tests are made of: settings, keys, a publisher in memory, and facts of a record."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.calls import NOW
from voc_stream.errors import OutsideError
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.limit import Limit
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.security.vault import Vault
from voc_stream.settings import Settings
from voc_stream.stages.outcome import Facts

VAULT = Vault({"k1": bytes(range(32))}, "k1")


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def limit(dependency: str, ceiling: int) -> Limit:
    """Places for the work on a dependency that is well."""

    async def well() -> None:
        return

    return Limit("made", Gate(dependency, well), floor=1, ceiling=ceiling)


def facts(offset: int = 1, *, now: datetime = NOW, attempt: int = 1) -> Facts:
    return Facts(now=now, topic="in", partition=0, offset=offset, attempt=attempt)


class FakePublisher:
    """Keeps what is published; `faults` are raised by the next publications, one each."""

    def __init__(self) -> None:
        self.published: list[Outgoing] = []
        self.faults: deque[OutsideError | None] = deque()

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        error = self.faults.popleft() if self.faults else None
        if error is not None:
            raise error
        self.published += records
        return list(range(len(records)))

    def keys(self, topic: str) -> list[str]:
        return [(record.key or b"").decode() for record in self.published if record.topic == topic]
