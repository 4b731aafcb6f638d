"""Events that are well-formed and still cannot be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.bad_input import NOW, bad_input
from tests.voc import call_value
from voc_stream.events.voc import decode_voc
from voc_stream.stages.validate import reading, refusing

BAD_TIMES = {name: bad for name, bad in bad_input(1, NOW).items() if bad.error_type == "bad_time"}


@pytest.mark.parametrize("name", BAD_TIMES)
def test_a_time_that_cannot_be_is_a_reason(name: str) -> None:
    letter = refusing(NOW, None)(decode_voc(BAD_TIMES[name].value))
    assert letter is not None
    assert (letter.error_type, BAD_TIMES[name].reason in letter.reason) == ("bad_time", True)


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "2026-11-23T12:00:00Z", "2026-11-23T22:00:00+10:00"])
def test_old_events_and_those_of_wrong_clocks_pass(moment: str) -> None:
    assert refusing(NOW, None)(decode_voc(call_value(timestamp=moment))) is None


@pytest.mark.parametrize("name", bad_input(1, NOW))
def test_read_together_is_what_passes_by_itself_and_nothing_where_one_does_not(name: str) -> None:
    bad, good = bad_input(1, NOW)[name], call_value(7, timestamp=NOW, agent_id="a\\b", customer_id="Müller")
    read = reading(NOW, None)
    assert read([good]) == [decode_voc(good)]
    assert read([good, bad.value, good]) == (None if bad.reason else [decode_voc(good), decode_voc(bad.value), decode_voc(good)])


def test_values_that_only_fit_together_are_not_read() -> None:
    value = call_value(timestamp=NOW, customer_id="Müller")
    cut = value.index("ü".encode()) + 1
    assert reading(NOW, None)([value[:cut], value[cut:]]) is None
    assert reading(NOW, None)([value + b"\n" + value]) is None


def test_an_unknown_tenant_keeps_values_from_being_read_together() -> None:
    assert reading(NOW, {"other"}.__contains__)([call_value(timestamp=NOW)]) is None
    assert reading(NOW, {"acme"}.__contains__)([call_value(timestamp=NOW)]) is not None


def test_a_day_is_counted_to_the_microsecond() -> None:
    event = decode_voc(call_value(timestamp=NOW + timedelta(days=1)))
    assert refusing(NOW, None)(event) is None
    assert refusing(NOW - timedelta(microseconds=1), None)(event) is not None


def test_an_unknown_tenant_is_refused_only_where_tenants_are_known() -> None:
    event = decode_voc(call_value(timestamp=NOW, tenant_id="acme"))
    assert refusing(NOW, None)(event) is None
    assert refusing(NOW, {"acme"}.__contains__)(event) is None
    letter = refusing(NOW, {"other"}.__contains__)(event)
    assert letter is not None
    assert (letter.error_type, "acme" in letter.reason) == ("unknown_tenant", False)
