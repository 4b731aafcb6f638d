"""Records of held tenants: they wait beside their partitions, un-acked, while the others go on (docs/adr/0017)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable

from voc_stream.runtime.ledger import RecordBatch
from voc_stream.runtime.pauses import Pauses


class Aside:
    """Of one stage. Only where the records are is kept: their bytes are in the intake, which bounds them.

    Args:
        stage: its name.
        pauses: whose records wait, and how long.
    """

    def __init__(self, stage: str, pauses: Pauses) -> None:
        self._stage = stage
        self._pauses = pauses
        self._waiting: OrderedDict[str | None, deque[tuple[RecordBatch, int]]] = OrderedDict()
        self._working = 0

    def __len__(self) -> int:
        """Return how many records wait or are worked on."""
        return sum(map(len, self._waiting.values())) + self._working

    def put(self, tenant_id: str | None, batch: RecordBatch, index: int) -> None:
        """Let a record wait."""
        self._waiting.setdefault(tenant_id, deque()).append((batch, index))

    def clear(self) -> None:
        """Forget what waits: it will be delivered again."""
        self._waiting.clear()

    async def work_off(
        self,
        work: Callable[[RecordBatch, int], Awaitable[None]],
        wait: Callable[[Awaitable[object]], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Work until nothing waits, tenant by tenant in turn, on those that no operator pauses, no faster than their rates of dead letters.

        Args:
            work: on a record, to its end.
            wait: waits for something that may take long; a stop may end it.
            sleep: waits some seconds.
        """
        while self._waiting:
            paused = self._pauses.paused_tenants(self._stage)
            free = [tenant_id for tenant_id in self._waiting if tenant_id not in paused]
            if not free:
                await wait(self._pauses.changed())
                continue
            self._waiting.move_to_end(free[0])
            if (seconds := self._pauses.wait_of(self._stage, free[0])) > 0:
                await wait(sleep(seconds))
                continue
            batch, index = self._waiting[free[0]].popleft()
            if not self._waiting[free[0]]:
                del self._waiting[free[0]]
            self._working += 1
            try:
                await work(batch, index)
            finally:
                self._working -= 1
