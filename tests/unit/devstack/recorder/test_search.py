"""Searches, as the real recorder answers them (spec §2.1)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from defusedxml import ElementTree

from tests.unit.devstack.recorder.conftest import NOON, Simulator


def records(xml: str) -> list[dict[str, Any]]:
    """Every result: the attributes, and the fields under their names in lower case."""
    found = []
    for result in ElementTree.fromstring(xml, forbid_dtd=True):
        fields = {field.get("name", "").lower(): field.text or "" for field in result}
        found.append({**result.attrib, **fields})
    return found


def style(**differs: str) -> dict[str, str]:
    return {"time": "iso", "duration": "seconds", "end": "both", "case": "lower"} | differs


async def test_a_segment_has_the_fields_of_the_contract(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="tone", seconds=90, agent="4603 (agent1234.247)", service="acme-support", skill="billing", style=style())

    (record,) = records(await simulator.search())

    assert record["inum"] == call["inum"] == "700000000000001"
    assert record["startedat"] == "2026-03-02T12:58:30"
    assert record["endedat"] == "2026-03-02T13:00:00"
    assert record["duration"] == "90"
    assert (record["agents"], record["services"], record["skills"]) == ("4603 (agent1234.247)", "acme-support", "billing")
    assert re.fullmatch(r"\+1415555\d{4}", record["otherparties"])
    assert record["switchcallid"] == call["switch_call_id"]
    assert "card=4111111111111111" in record["udfs"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("iso", "2026-03-02T12:58:30"),
        ("iso_offset", "2026-03-02T12:58:30+01:00"),
        ("iso_z", "2026-03-02T11:58:30Z"),
        ("dmy", "02/03/26 12:58:30"),
    ],
)
async def test_times_come_in_four_ways(simulator: Simulator, written: str, expected: str) -> None:
    await simulator.add(kind="tone", seconds=90, style=style(time=written))

    assert records(await simulator.search())[0]["startedat"] == expected


async def test_durations_come_as_hours_minutes_seconds_too(simulator: Simulator) -> None:
    await simulator.add(kind="tone", seconds=3750, style=style(duration="hms", end="duration"))

    (record,) = records(await simulator.search())

    assert record["duration"] == "1:02:30"
    assert "endedat" not in record


@pytest.mark.parametrize(("case", "name"), [("lower", "startedat"), ("camel", "startedAt"), ("upper", "STARTEDAT")])
async def test_field_names_vary_in_case(simulator: Simulator, case: str, name: str) -> None:
    await simulator.add(kind="tone", seconds=5, style=style(case=case))

    assert f'name="{name}"' in await simulator.search()


async def test_a_segment_in_progress_has_no_end_until_the_hang_up(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="tone", seconds=30, hang_up="never", style=style())
    before = records(await simulator.search())[0]

    simulator.clock.advance(10)
    async with simulator.session.post(f"/control/calls/{call['inum']}/hangup") as answer:
        assert answer.status == 200
    after = records(await simulator.search())[0]

    assert "endedat" not in before
    assert "duration" not in before
    assert (after["duration"], after["endedat"]) == ("40", "2026-03-02T13:00:10")


async def test_a_contact_tells_what_differs_per_inum_and_the_rest_once(simulator: Simulator) -> None:
    first, second = await simulator.add(kind="transfer", style=style())

    (contact,) = records(await simulator.search(layout="contact"))

    assert contact["contactid"]
    assert contact["inums"] == f"{first['inum']};{second['inum']}"
    assert contact["agents"] == f"{first['agent']};{second['agent']}"
    assert contact["skills"] == "billing;technical"
    assert len(contact["startedat"].split(";")) == len(contact["duration"].split(";")) == 2
    assert contact["services"] == first["service"]
    assert contact["udfs"].startswith("name=")
    assert contact["udfs"].count("name=") == 1


async def test_a_contact_is_found_whole_by_any_of_its_segments(simulator: Simulator) -> None:
    first, second = await simulator.add(kind="hold")
    start = datetime.fromisoformat(second["started_at"])

    (contact,) = records(await simulator.search(start, start, layout="contact"))

    assert contact["inums"] == f"{first['inum']};{second['inum']}"


async def test_the_segments_of_a_transfer_share_the_switchcallid_and_follow_each_other(simulator: Simulator) -> None:
    first, second = await simulator.add(kind="transfer")

    assert first["switch_call_id"] == second["switch_call_id"]
    assert first["agent"] != second["agent"]
    assert first["ended_at"] < second["started_at"] < second["ended_at"]


async def test_a_hold_keeps_the_agent(simulator: Simulator) -> None:
    first, second = await simulator.add(kind="hold")

    held = datetime.fromisoformat(second["started_at"]) - datetime.fromisoformat(first["ended_at"])
    assert first["agent"] == second["agent"]
    assert held == timedelta(seconds=20)


async def test_a_window_includes_both_of_its_edges(simulator: Simulator) -> None:
    for second in range(4):
        await simulator.add(kind="tone", seconds=5, started_at=(NOON + timedelta(seconds=second - 60)).isoformat())

    found = records(await simulator.search(NOON - timedelta(seconds=59), NOON - timedelta(seconds=58)))

    assert [record["inum"] for record in found] == ["700000000000002", "700000000000003"]


@pytest.mark.parametrize("layout", ["segment", "contact"])
async def test_results_are_ordered_by_start_and_cut_at_the_cap_without_a_word(simulator: Simulator, layout: str) -> None:
    for second in (6, 3, 5, 1, 4, 2, 0):
        await simulator.add(kind="tone", seconds=5, style=style(), started_at=(NOON - timedelta(seconds=60 - second)).isoformat())

    found = records(await simulator.search(layout=layout))

    assert [record["startedat"][-2:] for record in found] == ["00", "01", "02", "03", "04"]


async def test_in_the_repeated_hour_a_search_finds_both_passes(simulator: Simulator) -> None:
    """02:30 comes twice on 25 October 2026 in Berlin: at 00:30 and at 01:30 UTC."""
    simulator.clock.now = datetime(2026, 10, 25, 3, 0, tzinfo=UTC)
    for hour in (0, 1):
        await simulator.add(kind="tone", seconds=5, started_at=f"2026-10-25T0{hour}:30:00+00:00", style=style())

    found = records(await simulator.search("25/10/26 02:29:00", "25/10/26 02:31:00"))

    assert [record["startedat"] for record in found] == ["2026-10-25T02:30:00"] * 2


async def test_the_hour_that_summer_time_skips_holds_no_calls(simulator: Simulator) -> None:
    """02:00 to 03:00 does not exist on 29 March 2026 in Berlin; 00:59:59 UTC is 01:59:59, and a second later it is 03:00:00."""
    simulator.clock.now = datetime(2026, 3, 29, 2, 0, tzinfo=UTC)
    for start in ("00:59:59", "01:00:00"):
        await simulator.add(kind="tone", seconds=5, started_at=f"2026-03-29T{start}+00:00", style=style())

    assert records(await simulator.search("29/03/26 02:00:00", "29/03/26 02:59:59")) == []
    found = records(await simulator.search("29/03/26 01:59:59", "29/03/26 03:00:00"))
    assert [record["startedat"][-8:] for record in found] == ["01:59:59", "03:00:00"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"command": "list"},
        {"command": ""},
        {"layout": "custom"},
        {"operator_startedat": "5"},
        {"param1_startedat": "2026-03-02"},
        {"param2_startedat": "noon"},
    ],
)
async def test_what_it_does_not_understand_is_400(simulator: Simulator, wrong: dict[str, str]) -> None:
    async with simulator.session.get("/searchapi", params=simulator.window(NOON, NOON) | wrong) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("path", ["/searchapi?command=search", "/searchapi?command=delete&id=1", "/control/calls", "/control/stats"])
async def test_nothing_is_told_without_the_password(simulator: Simulator, path: str) -> None:
    for authorization in ("", "Basic dGVzdGVyOndyb25n", "Bearer x"):
        async with simulator.session.get(path, headers={"Authorization": authorization}) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic")


async def test_health_needs_no_password(simulator: Simulator) -> None:
    async with simulator.session.get("/healthz", headers={"Authorization": ""}) as answer:
        assert await answer.json() == {"status": "ok"}
