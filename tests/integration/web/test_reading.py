"""What people read, on real servers: every route, its filters and pages, whose it is, and what the audit log says of it."""

from __future__ import annotations

import csv
import hashlib
import io
from datetime import timedelta

import pytest

from tests.integration.web.conftest import Front
from tests.integration.web.reading_world import AUDIO, CALLS, NOON, ORIGINAL, TURNS, World
from voc_stream.web.csv_rows import cell

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(300)]

MINE = [said.call_id for said in CALLS if said.tenant == "acme"]


@pytest.fixture
def world(front: Front) -> World:
    return front.world


async def ids(world: World, query: str) -> list[str]:
    answer = await world.get(f"/calls{query}")
    assert answer.status_code == 200, answer.text
    return [call["call_id"] for call in answer.json()["calls"]]


async def test_calls_are_listed_newest_first_with_all_that_a_list_shows(world: World) -> None:
    answer = (await world.get("/calls")).json()
    assert [call["call_id"] for call in answer["calls"]] == MINE[::-1]
    assert answer["next"] is None
    first = answer["calls"][-1]
    assert first == {
        "call_id": "c1",
        "started_at": (NOON + timedelta(minutes=1)).isoformat().replace("+00:00", "Z"),
        "ended_at": (NOON + timedelta(minutes=2, seconds=30)).isoformat().replace("+00:00", "Z"),
        "seconds": 90.0,
        "agent_id": "anna",
        "agent_name": None,
        "skill": "billing",
        "service": "acme-support",
        "status": "SCORED",
        "reason": None,
        "score": 90.0,
        "sentiment": 0.5,
        "composite": 85.5,
        "topic": "billing",
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?sort=started_at", MINE),
        ("?sort=-score", ["c1", "c3", "c6", "c2"]),
        ("?sort=score", ["c2", "c6", "c3", "c1"]),
        ("?agent_id=ben", ["c6", "c4", "c2"]),
        ("?status=ERROR", ["c5"]),
        ("?status=NOT_SCORABLE", ["c4"]),
        ("?topic=billing&sort=score", ["c6", "c1"]),
        ("?skill=%3D1%2B1", ["c3"]),
        ("?score_from=60&score_to=70", ["c6", "c3"]),
        ("?sentiment_to=-0.05", ["c2"]),
        ("?sentiment_from=0&agent_id=anna", ["c1"]),
        ("?topic=nothing", []),
    ],
)
async def test_calls_are_filtered_and_sorted(world: World, query: str, expected: list[str]) -> None:
    assert await ids(world, query) == expected


async def test_calls_of_a_time_start_in_it(world: World) -> None:
    since, until = (NOON + timedelta(minutes=minute) for minute in (2, 4))
    assert (
        await world.client.get("/calls", params={"since": since.isoformat(), "until": until.isoformat()}, headers=world.keyring.headers())
    ).json()["calls"][0]["call_id"] == "c3"
    assert await ids(world, f"?since={since:%Y-%m-%dT%H:%M:%SZ}&until={until:%Y-%m-%dT%H:%M:%SZ}") == ["c3", "c2"]


@pytest.mark.parametrize("sort", ["-started_at", "started_at", "-score", "score"])
async def test_pages_show_each_call_once_and_in_order(world: World, sort: str) -> None:
    whole, found, query = await ids(world, f"?sort={sort}"), [], f"/calls?sort={sort}&limit=2"
    cursor = ""
    while cursor is not None:
        page = (await world.get(query + (f"&cursor={cursor}" if cursor else ""))).json()
        found += [call["call_id"] for call in page["calls"]]
        cursor = page["next"]
    assert found == whole


async def test_a_cursor_of_another_question_is_refused(world: World) -> None:
    cursor = (await world.get("/calls?limit=1")).json()["next"]
    for query in (f"?agent_id=ben&cursor={cursor}", f"?sort=score&cursor={cursor}", "?cursor=AAAA"):
        answer = await world.get(f"/calls{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_misspelt_filter_or_a_bad_value_is_refused(world: World) -> None:
    for query in ("?agnet_id=ben", "?score_from=101", "?sentiment_to=nan", "?since=2026-01-01T00:00:00", "?limit=0", "?status=LOST", "?sort=agent"):
        assert (await world.get(f"/calls{query}")).status_code == 422, query


async def test_an_export_is_what_the_list_shows_and_no_cell_is_a_formula(world: World) -> None:
    answer = await world.get("/calls?format=csv&sort=started_at")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="calls.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["call_id"] for row in rows] == MINE
    assert rows[1]["sentiment"] == "-0.75"
    assert rows[2]["skill"] == "'=1+1"
    assert rows[3]["score"] == ""
    assert ("calls", "acme") in await world.audited("calls exported")


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("/calls?sort=-score", "calls"),
        ("/calls?agent_id=ben&status=SCORED", "calls"),
        ("/agents?days=3", "agents"),
        ("/topics?days=3", "topics"),
        ("/alerts?state=cleared", "alerts"),
    ],
)
async def test_every_table_is_its_list_row_by_row_and_column_by_column(world: World, path: str, rows: str) -> None:
    listed = (await world.get(path)).json()[rows]
    table = list(csv.reader(io.StringIO((await world.get(f"{path}&format=csv")).text)))
    assert len(listed) > 0
    assert table == [list(listed[0]), *([str(cell(value)) for value in row.values()] for row in listed)]


async def test_one_call_tells_all_that_is_known_of_it(world: World) -> None:
    answer = await world.get("/calls/c1")
    call = answer.json()
    assert call["score_card"]["score"] == 90.0
    assert call["score_card"]["breakdown"][0]["evidence"] == [{"quote": "good morning", "start": 0.5, "end": 1.75, "speaker": "unknown"}]
    assert [turn["text"] for turn in call["transcript"]["turns"]] == [turn.text for turn in TURNS]
    assert call["transcript"]["original"] is False
    assert call["felt"]["sentiment"] == 0.5
    assert call["composed"] == {"composite": 85.5, "weight": 0.7}
    assert [version["model_version"] for version in call["versions"]] == ["rubric-1+none"]
    assert call["recording"]["size_bytes"] == len(AUDIO)
    assert [segment["call_id"] for segment in call["segments"]] == ["c1", "c2"]
    assert ("call c1", "acme") in await world.audited("call read")


async def test_a_call_that_failed_has_no_score_card(world: World) -> None:
    call = (await world.get("/calls/c5")).json()
    assert (call["score_card"], call["transcript"], call["recording"], call["felt"]) == (None, None, None, None)
    assert call["call"]["reason"] == "the stream broke off five times"


async def test_a_transcript_as_it_was_said_needs_the_scope(world: World) -> None:
    assert (await world.get("/calls/c1?original=true")).status_code == 403
    seen = (await world.get("/calls/c1?original=true", scope="original")).json()["transcript"]
    assert (seen["original"], seen["turns"][0]["text"]) == (True, ORIGINAL)
    kept = (await world.get("/calls/c3?original=true", scope="original")).json()
    assert kept["transcript"] is None
    assert ("call c1", "acme") in await world.audited("original transcript read")


async def test_a_timeline_tells_each_hop_against_its_share(world: World) -> None:
    timeline = (await world.get("/calls/c6/timeline")).json()
    assert [(hop["stage"], hop["what"], hop["late"]) for hop in timeline["hops"]] == [
        ("enrich", "enriched", False),
        ("download", "downloaded", False),
        ("score", "scored", True),
        ("export", "exported", False),
    ]
    scored = timeline["hops"][2]
    assert (scored["delay"], scored["share"], scored["topic"], scored["attempt"]) == (325.0, 25.0, "audio.ready", 1)
    assert (timeline["scored_after"], timeline["budget"], timeline["on_time"]) == (360.0, 120.0, False)
    failed = (await world.get("/calls/c5/timeline")).json()
    assert (failed["hops"][-1]["failed"], failed["hops"][-1]["reason"], failed["on_time"]) == (True, "the stream broke off five times", False)
    assert (await world.get("/calls/c1/timeline")).json()["on_time"] is True


async def test_a_recording_is_the_one_that_was_stored(world: World) -> None:
    answer = await world.get("/calls/c1/audio")
    assert (answer.status_code, answer.content) == (200, AUDIO)
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(AUDIO))
    assert answer.headers["etag"] == f'"{hashlib.sha256(AUDIO).hexdigest()}"'
    assert ("call c1", "acme") in await world.audited("recording heard")


@pytest.mark.parametrize(
    ("asked", "first", "last"), [("bytes=0-0", 0, 0), ("bytes=100-299", 100, 299), ("bytes=204000-", 204000, 204799), ("bytes=-5", 204795, 204799)]
)
async def test_a_range_of_a_recording_is_those_bytes(world: World, asked: str, first: int, last: int) -> None:
    answer = await world.get("/calls/c1/audio", Range=asked)
    assert (answer.status_code, answer.content) == (206, AUDIO[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(AUDIO)}"


async def test_ranges_that_are_not_there_and_conditions_are_answered_as_the_rfc_says(world: World) -> None:
    beyond = await world.get("/calls/c1/audio", Range="bytes=999999-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(AUDIO)}")
    etag = (await world.get("/calls/c1/audio", Range="bytes=0-0")).headers["etag"]
    assert (await world.get("/calls/c1/audio", Range="bytes=0-0", **{"If-Range": '"other"'})).status_code == 200
    assert (await world.get("/calls/c1/audio", Range="bytes=0-0", **{"If-Range": etag})).status_code == 206
    assert (await world.get("/calls/c1/audio", **{"If-None-Match": etag})).status_code == 304
    head = await world.client.head("/calls/c1/audio", headers=world.keyring.headers())
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(AUDIO)), b"")


@pytest.mark.parametrize("path", ["/calls/g1", "/calls/g1/audio", "/calls/g1/timeline", "/calls/nobody", "/calls/c5/audio", "/agents/nobody"])
async def test_what_is_another_tenants_is_not_there(world: World, path: str) -> None:
    assert (await world.get(path)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/calls",
        "/calls/c1",
        "/calls/c1/audio",
        "/calls/c1/timeline",
        "/agents",
        "/agents/anna",
        "/topics",
        "/overview",
        "/alerts",
        "/search?q=refund",
    ],
)
async def test_every_route_wants_a_credential_and_names_no_other_tenant(world: World, path: str) -> None:
    sign = "&" if "?" in path else "?"
    assert (await world.client.get(path)).status_code == 401
    assert (await world.get(f"{path}{sign}tenant_id=globex")).status_code == 404
    assert (await world.get(path, tenant="")).status_code == 422
    assert (await world.get(f"{path}{sign}tenant_id=acme", tenant="")).status_code == 200


async def test_agents_are_ranked_and_few_calls_look_uncertain(world: World) -> None:
    answer = (await world.get("/agents?days=3")).json()
    anna, ben = answer["agents"]
    assert [(agent["agent_id"], agent["rank"], agent["calls"], agent["scored"]) for agent in (anna, ben)] == [("anna", 1, 3, 2), ("ben", 2, 3, 2)]
    assert anna["mean"] == 80.0
    assert anna["low"] < 60 < anna["estimate"] < anna["mean"] < 95 < anna["high"]
    assert anna["estimate_high"] - anna["estimate_low"] > 30
    assert not anna["certain"]
    assert ben["complaints"] == 1
    table = list(csv.DictReader(io.StringIO((await world.get("/agents?days=3&format=csv")).text)))
    assert [row["agent_id"] for row in table] == ["anna", "ben"]


async def test_an_agent_is_shown_by_day(world: World) -> None:
    answer = (await world.get("/agents/ben?days=3")).json()
    assert (answer["among"], answer["agent"]["rank"]) == (2, 2)
    assert [(day["calls"], day["scored"], day["mean"]) for day in answer["by_day"] if day["calls"]] == [(3, 2, 50.12)]
    assert len(answer["by_day"]) == 3


async def test_topics_and_overview_count_the_tenants_calls_only(world: World) -> None:
    topics = (await world.get("/topics?days=3")).json()
    assert [(topic["topic"], topic["calls"], topic["mean"]) for topic in topics["topics"]] == [
        (None, 3, 70.0),
        ("billing", 2, 75.0),
        ("complaint", 1, 40.25),
    ]
    now = (await world.get("/overview?days=3")).json()["now"]
    assert {name: now[name] for name in ("calls", "scored", "not_scorable", "failed", "complaints", "on_time", "mean", "on_time_share")} == {
        "calls": 6,
        "scored": 4,
        "not_scorable": 1,
        "failed": 1,
        "complaints": 1,
        "on_time": 4,
        "mean": 65.06,
        "on_time_share": 0.8,
    }


async def test_alerts_come_newest_first_in_pages(world: World) -> None:
    page = (await world.get("/alerts?limit=1")).json()
    assert [alert["state"] for alert in page["alerts"]] == ["raised"]
    rest = (await world.get(f"/alerts?limit=1&cursor={page['next']}")).json()
    assert [(alert["state"], alert["cleared_count"]) for alert in rest["alerts"]] == [("cleared", 3)]
    assert rest["next"] is None
    assert len((await world.get("/alerts?state=raised")).json()["alerts"]) == 1


async def test_words_are_found_in_the_tenants_transcripts_and_marked_as_parts_of_plain_text(world: World) -> None:
    answer = (await world.get("/search?q=REFUND%20router")).json()
    assert answer["words"] == ["refund", "router"]
    (hit,) = answer["hits"]
    assert (hit["call_id"], hit["known"], hit["topic"], hit["agent_id"]) == ("c1", True, "billing", "anna")
    (snippet,) = hit["snippets"]
    assert (snippet["speaker"], snippet["start"]) == ("customer", 2.5)
    assert "".join(part["text"] for part in snippet["parts"]) == TURNS[1].text
    assert [part["text"] for part in snippet["parts"] if part["hit"]] == ["router", "refund"]
    assert ("transcripts", "acme") in await world.audited("transcripts searched")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=refund%20nobody", 0),
        ("q=%22want%20a%20refund%22", 1),
        ("q=%22refund%20a%20want%22", 0),
        ("q=refund&agent_id=ben", 0),
        (f"q=refund&until={NOON:%Y-%m-%dT%H:%M:%SZ}", 0),
        (f"q=refund&since={NOON:%Y-%m-%dT%H:%M:%SZ}", 1),
        ("q=refun", 0),
        ("q=%25", None),
        ("q=%27%29%20OR%201%3D1", 0),
    ],
)
async def test_a_search_finds_what_it_says(world: World, query: str, found: int | None) -> None:
    answer = await world.get(f"/search?{query}")
    assert (answer.status_code, len(answer.json().get("hits", []))) == ((422, 0) if found is None else (200, found))
