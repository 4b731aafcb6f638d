"""What a failure of ClickHouse means, and a result as a row."""

from __future__ import annotations

import aiohttp
import msgspec
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError

from tests.calls import scoring_result
from voc_stream.clients.clickhouse import CALL_SCORES, score_row
from voc_stream.clients.clickhouse_faults import outside_error
from voc_stream.errors import BusyError, OutageError, OutsideError, RejectedError


def refused(code: int) -> DatabaseError:
    return DatabaseError(f"Received ClickHouse exception, code: {code}, server response: Code: {code}. DB::Exception: 'Jane Doe'")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(111, "refused"), OutageError),
        (OperationalError("Error Connection refused executing HTTP request"), OutageError),
        (aiohttp.ServerDisconnectedError(), OutageError),
        *((refused(code), OutageError) for code in (60, 81, 202, 241, 242, 243, 252, 516, 99999)),
        *((refused(code), BusyError) for code in (159, 160, 209, 394, 425)),
        *((refused(code), RejectedError) for code in (6, 27, 53, 349)),
        (TimeoutError(), BusyError),
        (DataError("Failed to write column 'agent_id': Jane Doe"), RejectedError),
    ],
)
def test_a_failure_says_what_to_do_and_quotes_nothing(error: Exception, kind: type[OutsideError]) -> None:
    outside = outside_error(error)
    assert type(outside) is kind
    assert outside.dependency == "clickhouse"
    assert "Jane Doe" not in str(outside)


def test_a_missing_table_names_the_command() -> None:
    assert "faust -A voc_stream migrate" in outside_error(refused(60)).reason


def test_a_row_is_made_of_the_event_alone() -> None:
    assert score_row(scoring_result()) == score_row(scoring_result())
    row = dict(zip(CALL_SCORES, score_row(scoring_result()), strict=True))
    assert row["version"] == 1_795_327_320_000_000
    assert msgspec.json.decode(row["breakdown"])[0]["item"] == "greeting"


def test_a_later_result_has_a_higher_version() -> None:
    earlier = scoring_result()
    later = msgspec.structs.replace(earlier, scored_at=earlier.scored_at.replace(microsecond=1))
    assert score_row(later)[-1] == score_row(earlier)[-1] + 1
