"""Customer events that nobody should send, between good ones: each is stored as data or dead-lettered, and its partition goes on."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio

from tests.bad_input import CANARY, bad_input
from tests.integration.pipeline.pipeline import Pipeline, header, reason_of
from tests.voc import call_value, event_id
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.events.voc import decode_voc
from voc_stream.topics import VOC_CALLS

PARTITION = 5
_PAYLOADS = "SELECT toString(event_id) AS id, payload FROM voc_events WHERE event_id IN ({ids:Array(UUID)})"


@pytest_asyncio.fixture(loop_scope="session")
async def warehouse(pipeline: Pipeline) -> AsyncIterator[Warehouse]:
    made = Warehouse(pipeline.settings)
    yield made
    await made.close()


async def test_bad_events_are_data_or_dead_letters_and_the_good_ones_between_them_are_stored(pipeline: Pipeline, warehouse: Warehouse) -> None:
    run, first, now = secrets.token_hex(4), secrets.randbits(60), datetime.now(UTC)
    bad = bad_input(first, now)
    good = {number: call_value(number, timestamp=now) for number in range(first + 100, first + 100 + len(bad))}
    between = [(b"", value) for value in good.values()]
    records = [record for pair in zip(between, ((f"{run} {name}".encode(), one.value) for name, one in bad.items()), strict=True) for record in pair]
    await pipeline.write(VOC_CALLS, *records, partition=PARTITION)

    refused = {f"{run} {name}".encode(): one for name, one in bad.items() if one.reason}
    letters = await pipeline.until_letters(f"{VOC_CALLS}.dlq", list(refused))
    assert [key for key, one in refused.items() if letters[key].value != one.value] == []
    told = {key: (header(letters[key], "error-type"), reason_of(letters[key])) for key in refused}
    assert {key: told[key] for key, one in refused.items() if told[key][0] != one.error_type or one.reason not in told[key][1]} == {}
    assert [name for letter in letters.values() for name, text in letter.headers if CANARY.encode() in text] == []

    odd = [one.value for one in bad.values() if one.value and not one.reason]
    wanted = {str(event_id(number)): value for number, value in good.items()} | {str(decode_voc(value).event_id): value for value in odd}
    assert await _stored(pipeline, warehouse, wanted) == {key: value.decode() for key, value in wanted.items()}
    assert pipeline.worker.poll() is None
    assert CANARY not in pipeline.worker.log.read_text()


async def _stored(pipeline: Pipeline, warehouse: Warehouse, wanted: dict[str, Any]) -> dict[str, str]:
    """Wait until there is a row of each event; return the payloads."""
    rows: list[dict[str, Any]] = []

    async def there() -> bool:
        rows[:] = await warehouse.query(_PAYLOADS, {"ids": list(wanted)})
        return len(rows) >= len(wanted)

    await pipeline.until(f"{len(wanted)} events in ClickHouse", there)
    assert len(rows) == len(wanted)
    return {row["id"]: row["payload"] for row in rows}
