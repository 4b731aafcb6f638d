"""A worker dies at a chosen moment around an insert; the next one stores every row exactly once, also when ClickHouse has forgotten the token."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.integration.voc.crash_point import CrashPoint, Moment, crash_point
from tests.integration.voc.line import Line
from tests.integration.voc.test_windows import ids, values
from tests.tally import Tally
from tests.voc import action_value, row_of
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.settings import Settings

pytestmark = pytest.mark.chaos

TOKEN_WINDOW = 100
EVENTS = 1500
FORGETFUL = {"CLICKHOUSE_TOKEN_WINDOW": str(TOKEN_WINDOW), "CLICKHOUSE_TOKEN_SECONDS": "0.5"}


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A ClickHouse that forgets a token after a hundred parts."""
    monkeypatch.setenv("CLICKHOUSE_TOKEN_WINDOW", str(TOKEN_WINDOW))
    return settings


@pytest.mark.parametrize("moment", ["before the insert", "before its answer", "after its answer"])
async def test_a_worker_that_dies_around_its_insert_stores_each_row_once(line: Line, tally: Tally, moment: Moment) -> None:
    with crash_point(line.settings.clickhouse_port, moment, number=2) as proxy:
        await _die(line, proxy)
        await line.started(**_through(proxy))
        await line.until_committed(EVENTS)
    await _count(line, tally, f"{EVENTS} events, 1 kill {moment}")


async def test_a_token_that_clickhouse_forgot_meanwhile_stores_nothing_twice(line: Line, tally: Tally) -> None:
    with crash_point(line.settings.clickhouse_port, "before its answer", number=1) as proxy:
        await _die(line, proxy)
        stored = len(await line.rows())
        assert stored > 0, "the window whose answer was lost is stored"
        oldest = await _forget_tokens(line)
        worker = await line.started(**_through(proxy), **FORGETFUL)
        await line.until_committed(EVENTS)
    await _count(line, tally, f"{EVENTS} events, {stored} in a window whose token was forgotten")
    assert oldest > datetime(1970, 1, 1, tzinfo=UTC), "what the metric is made of tells that tokens are forgotten"
    assert "voc_token_window_seconds" in worker.metrics()


async def _die(line: Line, proxy: CrashPoint) -> None:
    worker = await line.started(BATCH_SIZE="500", BATCH_SIZE_MAX="500", **_through(proxy))
    proxy.crash = worker.kill
    await line.write(values(0, EVENTS))
    await line.ended(worker)
    proxy.crash = None


async def _forget_tokens(line: Line) -> datetime:
    """Insert other events until the tokens of before are forgotten; returns how far back ClickHouse remembers."""
    warehouse = Warehouse(line.settings)
    try:
        for number in range(TOKEN_WINDOW + 20):
            at = {"timestamp": datetime.now(UTC), "tenant_id": "others"}
            row = row_of(action_value(100_000 + number, **at), number, partition=11, topic="others")
            await warehouse.insert_events(row, f"others:{number}")
        return await warehouse.tokens_since()
    finally:
        await warehouse.close()


async def _count(line: Line, tally: Tally, what: str) -> None:
    rows = [row["id"] for row in await line.rows()]
    tally.count(what, lost=len(ids(0, EVENTS) - set(rows)), duplicated=len(rows) - len(set(rows)))
    assert set(rows) == ids(0, EVENTS)
    assert len(rows) == EVENTS
    warehouse = Warehouse(line.settings)
    try:
        assert await warehouse.view_differences() == []
    finally:
        await warehouse.close()


def _through(proxy: CrashPoint) -> dict[str, str]:
    return {"CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_PORT": str(proxy.port)}
