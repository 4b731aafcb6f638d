"""The recorder's search results: both layouts, hostile ones, and records among which one is bad."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from voc_stream.clients import recorder_xml
from voc_stream.clients.recorder_time import windows
from voc_stream.clients.recorder_xml import MalformedResultError, SearchReader

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
(WINDOW,) = windows(NOON, NOON + timedelta(hours=1), BERLIN)


def read(xml: str | bytes, *, recorder_id: str = "", chunk: int = 1 << 20) -> SearchReader:
    data = xml.encode() if isinstance(xml, str) else xml
    reader = SearchReader(BERLIN, WINDOW, recorder_id)
    for at in range(0, len(data), chunk):
        reader.feed(data[at : at + chunk])
    reader.close()
    return reader


def fields(**values: str) -> str:
    return "".join(f'<field name="{name}">{value}</field>' for name, value in values.items())


def segment(inum: str = "700000000000123", **values: str) -> str:
    return f'<result inum="{inum}">{fields(**({"startedat": "2026-11-22T13:00:00", "duration": "60"} | values))}</result>'


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_a_result_per_segment_is_read_however_it_is_cut(chunk: int) -> None:
    text = segment(
        agents="4603 (agent1234.247)",
        otherparties="+14155550123",
        skills="billing",
        services="acme-support",
        switchcallid="99",
        udfs="name=Zoë;card=4",
    )
    (found,) = read(f'<?xml version="1.0" encoding="utf-8"?><results>{text}</results>', chunk=chunk).segments
    assert (found.inum, found.started_at, found.ended_at) == ("700000000000123", NOON, NOON + timedelta(minutes=1))
    assert (found.raw_agent, found.skill, found.service, found.switch_call_id) == ("4603 (agent1234.247)", "billing", "acme-support", "99")
    assert (found.other_parties, found.udfs) == ("+14155550123", "name=Zoë;card=4")


def test_names_are_read_in_any_case_and_namespace() -> None:
    text = f'<Results xmlns="urn:x"><Result INUM="7">{fields(startedAt="22/11/26 13:00:00", DURATION="0:01:00", SKILLS="billing")}</Result></Results>'
    (found,) = read(text).segments
    assert (found.inum, found.started_at, found.skill) == ("7", NOON, "billing")


def test_a_result_per_contact_gives_each_inum_its_own_values_and_the_shared_ones() -> None:
    contact = fields(
        inums="701;702",
        startedat="2026-11-22T13:00:00;2026-11-22T13:05:00",
        duration="60;90",
        agents="4603 (agent1234.247);4604 (agent1235.247)",
        services="acme-support",
        udfs="name=A;card=B",
    )
    first, second = read(f'<results><result contactid="5">{contact}</result></results>').segments
    assert (first.inum, first.ended_at, first.raw_agent) == ("701", NOON + timedelta(minutes=1), "4603 (agent1234.247)")
    assert (second.inum, second.started_at, second.raw_agent) == ("702", NOON + timedelta(minutes=5), "4604 (agent1235.247)")
    assert {first.service, second.service} == {"acme-support"}
    assert {first.udfs, second.udfs} == {"name=A;card=B"}


def test_a_contact_counts_once_towards_the_cap_and_each_inum_once() -> None:
    contact = fields(inums="701;701;702;", startedat="2026-11-22T13:00:00", duration="1")
    reader = read(f"<results><result>{contact}</result></results>")
    assert [found.inum for found in reader.segments] == ["701", "702"]
    assert reader.results == 1


@pytest.mark.parametrize(
    ("bad", "inum", "reason"),
    [
        (segment("1", startedat="nonsense"), "1", "its start is not a time"),
        (segment(""), "", "it has no inum"),
        ("<result/>", "", "it has no inum"),
        (segment("1" * 33), "1" * 33, "its inum is too long or has characters that a call_id cannot have"),
        (segment("a/../b"), "a/../b", "its inum is too long or has characters that a call_id cannot have"),
    ],
)
def test_a_record_that_cannot_be_read_leaves_its_neighbours_alone(bad: str, inum: str, reason: str) -> None:
    reader = read(f"<results>{segment('701')}{bad}{segment('702')}</results>")
    assert [found.inum for found in reader.segments] == ["701", "702"]
    (reject,) = reader.rejects
    assert (reject.inum, reject.reason) == (inum, reason)
    assert reject.xml.startswith(b"<result")


def test_the_prefix_of_the_recorder_counts_towards_the_length() -> None:
    reader = read(f"<results>{segment('1' * 30)}</results>", recorder_id="north")
    assert len(reader.rejects) == 1


def test_personal_data_stay_out_of_what_is_printed() -> None:
    reader = read(f"<results>{segment(udfs='secret-udf', otherparties='+14155550123')}{segment('', udfs='secret-udf')}</results>")
    printed = repr((reader.segments, reader.rejects))
    assert "secret-udf" not in printed
    assert "+1415" not in printed


def test_texts_are_cut_to_what_a_call_may_hold() -> None:
    (found,) = read(f"<results>{segment(agents='x' * 5000, skills='y' * 5000)}</results>").segments
    assert (len(found.raw_agent), len(found.skill)) == (256, 256)


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"<html><body>Please log in",
        b"<results><result inum='1'>",
        b"not xml at all",
        b"<?xml version='1.0' encoding='nonsense'?><results/>",
        b"\xff\xfe\x00",
        b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><results>&b;</results>',
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><results>&x;</results>',
        b'<!DOCTYPE r SYSTEM "http://127.0.0.1/x.dtd"><results/>',
        b"<results>" + b"<a>" * 100 + b"</a>" * 100 + b"</results>",
        b"<results><result>" + b"".join(b'<field name="%d"/>' % number for number in range(2000)) + b"</result></results>",
    ],
)
def test_a_hostile_answer_is_refused_as_a_whole_and_not_quoted(hostile: bytes) -> None:
    with pytest.raises(MalformedResultError, match=r"^the search result"):
        read(hostile)


def test_a_result_with_more_records_than_any_recorder_returns_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_xml, "_MOST_RECORDS", 10)
    assert len(read(f"<results>{segment() * 10}</results>").segments) == 10
    contact = fields(inums=";".join(map(str, range(11))), startedat="x")
    for xml in (segment() * 11, f"<result>{contact}</result>"):
        with pytest.raises(MalformedResultError, match="more records"):
            read(f"<results>{xml}</results>")


def test_a_contact_of_many_bad_inums_keeps_its_text_once() -> None:
    contact = fields(inums=";".join(map(str, range(500))), startedat="x", udfs="y" * 10_000)
    rejects = read(f"<results><result>{contact}</result></results>").rejects
    assert len(rejects) == 500
    assert len({id(reject.xml) for reject in rejects}) == 1


def test_elements_that_are_no_results_take_no_memory() -> None:
    reader = SearchReader(BERLIN, WINDOW)
    reader.feed(b"<results>")
    tracemalloc.start()
    for _ in range(20):
        reader.feed(b"<other>text</other>" * 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(
    "times",
    [
        {"startedat": "0001-01-01T00:00:00+14:00"},
        {"startedat": "9999-12-31T23:59:59-14:00"},
        {"startedat": "9999-12-31 23:59:59", "duration": "168:00:00"},
        {"startedat": "2199-12-31T23:59:59Z", "duration": "24:00:00"},
        {"endedat": "9999-12-31T23:59:59"},
    ],
)
def test_a_record_beyond_the_calendar_is_a_reject_and_its_neighbour_is_read(times: dict[str, str]) -> None:
    found = read(f"<results>{segment('1', **times)}{segment('2')}</results>")
    assert [each.inum for each in found.rejects] == ["1"]
    assert [each.inum for each in found.segments] == ["2"]
