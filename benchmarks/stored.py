"""What ClickHouse shows of a run's events, asked over HTTP: cheap enough to be asked often."""

from __future__ import annotations

import time
import urllib.parse
import urllib.request
from collections.abc import Callable

from voc_stream.devstack.errors import StackError
from voc_stream.settings import Settings


class Stored:
    """Rows of `voc_events` that one incarnation wrote.

    Args:
        settings: CLICKHOUSE_*.
        incarnation: KAFKA_INCARNATION of the worker.
    """

    def __init__(self, settings: Settings, incarnation: str) -> None:
        self._settings = settings
        self._incarnation = incarnation
        self._since = int(time.time())

    def count(self) -> int:
        """Return how many there are; what was stored before this was made is not looked at."""
        incarnation = "kafka_incarnation = {incarnation:String}"
        return int(self.ask(f"SELECT count() FROM voc_events WHERE {incarnation} AND processed_at >= fromUnixTimestamp({self._since})"))  # noqa: S608

    def newest(self) -> dict[int, int]:
        """Return the newest offset of each partition, as the insert of its window told it to the view: few rows, however many events there are."""
        rows = self.ask("SELECT kafka_partition, max(newest) FROM voc_offsets WHERE kafka_incarnation = {incarnation:String} GROUP BY 1")
        return {int(partition): int(offset) for partition, offset in (line.split("\t") for line in rows.splitlines())}

    def until(self, rows: int, alive: Callable[[], None], patience_seconds: float = 60.0) -> tuple[int, float]:
        """Wait for so many; returns how many there are then, and the moment of a monotonic clock.

        Raises:
            StackError: no new row for so long.
        """
        last, changed = -1, time.monotonic()
        while (count := self.count()) < rows:
            alive()
            if count != last:
                last, changed = count, time.monotonic()
            if time.monotonic() - changed > patience_seconds:
                raise StackError(f"no new row for {patience_seconds:.0f} s, {count} of {rows} so far")
            time.sleep(0.05)
        return count, time.perf_counter()

    def ask(self, statement: str) -> str:
        """Return the answer to a question, tab-separated; `{incarnation:String}` stands for the incarnation."""
        settings = self._settings
        arguments = {"query": f"{statement} FORMAT TabSeparated", "param_incarnation": self._incarnation, "database": settings.clickhouse_db}
        request = urllib.request.Request(
            f"http://{settings.clickhouse_host}:{settings.clickhouse_port}/?{urllib.parse.urlencode(arguments)}",
            headers={"X-ClickHouse-User": settings.clickhouse_user, "X-ClickHouse-Key": settings.clickhouse_password.get_secret_value()},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            text: bytes = answer.read()
        return text.decode()
