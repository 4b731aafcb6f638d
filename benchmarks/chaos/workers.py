"""The workers that suffer: killed, frozen and woken, and started again at once, as an orchestrator would."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from benchmarks.report import say
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.worker_process import WorkerProcess


class Workers:
    """So many workers of one group.

    Args:
        count: how many.
        stack_dir: the stack's folder.
        folder: their tables and logs.
        settings: environment on top of the stack's endpoints.
        chance: whom it hits.
    """

    def __init__(self, count: int, stack_dir: Path, folder: Path, settings: Mapping[str, str], chance: random.Random) -> None:
        self._workers = [
            WorkerProcess(stack_dir, folder / f"state-{number}", folder / "logs" / f"worker-{number}.log", settings) for number in range(count)
        ]
        self._frozen: set[WorkerProcess] = set()
        self._chance = chance
        self.kills = 0
        self.ended_by_themselves = 0

    def __iter__(self) -> Iterator[WorkerProcess]:
        """Yield them by number."""
        return iter(self._workers)

    def start(self) -> None:
        """Start all."""
        for worker in self._workers:
            worker.start()

    def wait_ready(self) -> None:
        """Wait until all work: what goes wrong before would only hit starts.

        Raises:
            StackError: one ended, or is not ready in time.
        """
        for worker in self._workers:
            worker.wait_ready()

    def kill_one(self) -> None:
        """SIGKILL one at random, and start it again."""
        self.kill(self._any())

    def kill(self, worker: WorkerProcess) -> None:
        """SIGKILL one, and start it again."""
        worker.kill()
        self.kills += 1
        self._frozen.discard(worker)
        worker.start()

    def kill_burst(self, count: int) -> None:
        """SIGKILL so many at once, and start them again."""
        hit = self._shuffled()[:count]
        for worker in hit:
            worker.signal(signal.SIGKILL)
        for worker in hit:
            worker.kill()
            self._frozen.discard(worker)
            worker.start()
        self.kills += count

    def freeze_one(self) -> None:
        """SIGSTOP one at random that is ready: one that holds partitions."""
        worker = next((each for each in self._shuffled() if each.poll() is None and each.ready()), None) or self._any()
        say(f"freeze worker {self._workers.index(worker)}")
        self.freeze(worker)

    def freeze(self, worker: WorkerProcess) -> None:
        """SIGSTOP one."""
        worker.signal(signal.SIGSTOP)
        self._frozen.add(worker)

    def wake(self) -> None:
        """SIGCONT whoever is frozen."""
        for worker in self._frozen:
            say(f"wake worker {self._workers.index(worker)}")
            worker.signal(signal.SIGCONT)
        self._frozen.clear()

    def mend(self) -> None:
        """Start again what ended by itself, and say so."""
        for number, worker in enumerate(self._workers):
            if worker.poll() is not None:
                said = [line for line in worker.last_lines(400).splitlines() if '"level": "error"' in line]
                say(f"worker {number} ended with {worker.poll()} by itself; it is started again. Its last errors:\n" + "\n".join(said[-3:]))
                self.ended_by_themselves += 1
                worker.start()

    def stop(self) -> None:
        """Stop all; one that does not end in time is killed."""
        self.wake()
        for worker in self._workers:
            with suppress(StackError):
                worker.stop()

    def _shuffled(self) -> list[WorkerProcess]:
        return self._chance.sample(self._workers, len(self._workers))

    def _any(self) -> WorkerProcess:
        """Return one that runs and is not frozen."""
        self.mend()
        return next(worker for worker in self._shuffled() if worker not in self._frozen)
