"""Every state of the pages renders, and nothing that comes from a call is markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from tests.unit.web.pages.shown import ADMIN, NO_CALLS, READER, SEER, Readings, alert, found, overview, pages, row, timeline, whole
from voc_stream.errors import OutageError
from voc_stream.services.reading_answers import AlertsPage, CallsPage, SearchPage, TranscriptShown, TurnShown
from voc_stream.services.reading_calls import CallsAsked
from voc_stream.stages.changes import Status
from voc_stream.stages.days import Days
from voc_stream.web.pages import call as call_page
from voc_stream.web.pages import calls as calls_page
from voc_stream.web.pages import overview as overview_page
from voc_stream.web.who import Caller

CALL = "/desk/calls/700000000000123"
HOSTILE = "100%s <script>alert('x')</script>\"'><img src=x onerror=alert(1)>"
DOWN = OutageError("postgres", "cannot be reached")

Browse = Callable[..., TestClient]


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    mine = Readings()
    for module in (overview_page, calls_page, call_page):
        monkeypatch.setattr(module, "readings_of", lambda _request: mine)
    return mine


@pytest.fixture
def audited(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    rows: list[tuple[str, dict[str, Any]]] = []

    async def audit(_request: object, _caller: Caller, action: str, details: dict[str, Any], **_more: object) -> None:
        rows.append((action, details))

    for module in (calls_page, call_page):
        monkeypatch.setattr(module, "audit", audit)
    return rows


@pytest.fixture
def browse(readings: Readings, audited: list[tuple[str, dict[str, Any]]]) -> Iterator[Browse]:
    del readings, audited
    clients: list[TestClient] = []

    def browser(caller: Caller = READER, **cookies: str) -> TestClient:
        client = TestClient(pages(caller), cookies=cookies, headers={"Accept": "text/html,*/*"}, follow_redirects=False)
        clients.append(client)
        return client

    yield browser
    for client in clients:
        client.close()


def page_of(client: TestClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    page: str = answer.text
    assert answer.status_code == status, page
    markup = Markup()
    markup.feed(page)
    assert markup.unsafe == []
    assert (markup.tags.count("h1"), markup.tags.count("main"), markup.tags.count("img")) == (1, 1, 1)
    return page


class Markup(HTMLParser):
    """Collects the tags of a page, and what a strict Content-Security-Policy would stop or what would lead elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.unsafe: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        self.unsafe += [f"{tag} {name}" for name in named if name == "style" or name.startswith("on")]
        self.unsafe += [
            f"{tag} {named[name]}" for name in ("href", "src", "action") if name in named and not re.match(r"[/#](?![/\\])", named[name] or "")
        ]
        if tag == "style" or (tag == "script" and "src" not in named):
            self.unsafe.append(tag)


class TestOverview:
    def test_shows_each_figure_with_its_trend_and_the_time_before(self, browse: Browse) -> None:
        page = page_of(browse(), "/")
        for words in ("1,204", "93%", "78.4", "+0.13", "88", "98%"):
            assert words in page
        assert page.count('class="pygal spark"') == 6
        assert "as before" in page
        assert "against the 7 days before" in page

    def test_a_day_is_shown_with_the_trend_of_a_week(self, browse: Browse, readings: Readings) -> None:
        page = page_of(browse(), "/?days=1")
        assert [asked[1].count for asked in readings.asked if isinstance(asked[1], Days)] == [1, 7]
        assert "against the day before" in page

    def test_its_days_are_those_of_the_reader_s_zone(self, browse: Browse, readings: Readings) -> None:
        client = browse()
        client.cookies.set("zone", "Asia/Ho_Chi_Minh")
        page_of(client, "/")
        (days,) = [asked[1] for asked in readings.asked if isinstance(asked[1], Days)]
        assert (days.zone, days.last) == (ZoneInfo("Asia/Ho_Chi_Minh"), datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).date())

    def test_worst_calls_are_of_the_last_24_hours_and_lowest_first(self, browse: Browse, readings: Readings) -> None:
        page = page_of(browse(), "/")
        asked = next(asked[1] for asked in readings.asked if isinstance(asked[1], CallsAsked))
        assert asked.sort == "score"
        assert CALL in page

    def test_without_calls_it_says_what_will_happen(self, browse: Browse, readings: Readings) -> None:
        readings.days = lambda days: overview(days, NO_CALLS, NO_CALLS)
        readings.calls_page, readings.alerts_page = CallsPage(calls=[]), AlertsPage(alerts=[])
        page = page_of(browse(), "/")
        assert "No calls yet" in page
        assert "All quiet" in page
        assert "pygal" not in page

    def test_with_calls_after_none_there_is_nothing_to_compare_with(self, browse: Browse, readings: Readings) -> None:
        readings.days = lambda days: overview(days, before=NO_CALLS)
        assert "nothing to compare with" in page_of(browse(), "/")

    def test_a_part_that_cannot_be_read_leaves_the_others(self, browse: Browse, readings: Readings) -> None:
        readings.alerts_page = DOWN
        page = page_of(browse(), "/")
        assert "cannot be read just now" in page
        assert "1,204" in page

    def test_with_nothing_to_be_read_it_is_still_a_page(self, browse: Browse, readings: Readings) -> None:
        readings.days = lambda _days: DOWN  # type: ignore[assignment,return-value]
        readings.calls_page = readings.alerts_page = DOWN
        assert page_of(browse(), "/").count("cannot be read just now") == 3

    def test_names_of_rules_and_agents_are_escaped(self, browse: Browse, readings: Readings) -> None:
        readings.alerts_page = AlertsPage(alerts=[alert(rule=HOSTILE)])
        readings.calls_page = CallsPage(calls=[row(agent_name=HOSTILE, topic=HOSTILE)])
        assert "<script>alert" not in page_of(browse(), "/")


class TestCalls:
    def test_lists_calls_with_a_way_to_the_next_page_and_to_csv(self, browse: Browse) -> None:
        page = page_of(browse(), "/desk/calls?graded=bad&sort=score")
        assert CALL in page
        assert "cursor=more" in page
        assert "/calls?score_to=59.99&amp;sort=score&amp;format=csv" in page

    @pytest.mark.parametrize(
        ("query", "asked"),
        [
            ("status=ERROR&topic=billing&agent_id=4603", CallsAsked(status=Status.ERROR, topic="billing", agent_id="4603")),
            ("graded=good&feels=negative", CallsAsked(score_from=80.0, sentiment_to=-0.05)),
            ("q=&from=&to=&agent_id=&graded=&feels=&topic=&status=&sort=&unknown=1", CallsAsked()),
            ("sort=-score&cursor=abc", CallsAsked(sort="-score", cursor="abc")),
        ],
    )
    def test_the_form_asks_for_what_it_says(self, browse: Browse, readings: Readings, query: str, asked: CallsAsked) -> None:
        page_of(browse(), f"/desk/calls?{query}")
        assert readings.asked == [("acme", asked)]

    def test_days_begin_where_the_reader_is(self, browse: Browse, readings: Readings) -> None:
        page_of(browse(zone="Asia/Ho_Chi_Minh"), "/desk/calls?from=2026-11-22&to=2026-11-22")
        asked = readings.asked[0][1]
        assert (asked.since.isoformat(), asked.until.isoformat()) == ("2026-11-21T17:00:00+00:00", "2026-11-22T17:00:00+00:00")

    def test_with_nothing_that_fits_it_offers_all(self, browse: Browse, readings: Readings) -> None:
        readings.calls_page = CallsPage(calls=[])
        assert "No call is like that" in page_of(browse(), "/desk/calls?topic=praise")

    def test_without_any_calls_it_says_so(self, browse: Browse, readings: Readings) -> None:
        readings.calls_page = CallsPage(calls=[])
        assert "No calls yet" in page_of(browse(), "/desk/calls")

    @pytest.mark.parametrize("query", ["cursor=bad", "from=yesterday", "status=GONE", "sort=agent", f"q={'x' * 201}", "from=0001-01-01"])
    def test_what_cannot_be_asked_is_a_problem_page(self, browse: Browse, query: str) -> None:
        assert "This cannot be understood" in page_of(browse(), f"/desk/calls?{query}", 422)

    def test_a_call_without_a_score_shows_why(self, browse: Browse, readings: Readings) -> None:
        calls = [row(status=Status.NOT_SCORABLE, reason="silent", score=None, sentiment=None, topic=None), row(status=Status.ERROR, reason=HOSTILE)]
        readings.calls_page = CallsPage(calls=calls)
        page = page_of(browse(), "/desk/calls")
        assert "The recording is silent." in page
        assert "<script>alert" not in page

    def test_an_outage_is_a_problem_page(self, browse: Browse, readings: Readings) -> None:
        readings.calls_page = DOWN
        assert "does not answer" in page_of(browse(), "/desk/calls", 503)


class TestSearch:
    def test_marks_what_was_found_and_leads_to_its_second(self, browse: Browse) -> None:
        page = page_of(browse(), "/desk/calls?q=refund")
        assert "<mark>refund</mark>" in page
        assert 'href="/desk/calls/700#t61.0"' in page

    def test_what_was_said_is_escaped(self, browse: Browse, readings: Readings) -> None:
        readings.search_page = found(HOSTILE)
        page = page_of(browse(), "/desk/calls?q=%3Cscript%3Ealert(1)")
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page

    def test_the_words_are_not_audited_but_the_calls_are(self, browse: Browse, audited: list[tuple[str, dict[str, Any]]]) -> None:
        page_of(browse(), "/desk/calls?q=Jordan+Miller")
        assert audited == [("transcripts searched", {"calls": ["700"]})]

    def test_nothing_found(self, browse: Browse, readings: Readings) -> None:
        readings.search_page = SearchPage(words=["refund"], hits=[])
        assert "Nobody said that" in page_of(browse(), "/desk/calls?q=refund")

    def test_nothing_to_look_for(self, browse: Browse, readings: Readings) -> None:
        readings.search_page = ValueError("look for at least one word")
        assert "Look for words" in page_of(browse(), "/desk/calls?q=%3F")

    def test_a_transcript_without_a_call_leads_nowhere(self, browse: Browse, readings: Readings) -> None:
        readings.search_page = found("Your ", known=False)
        page = page_of(browse(), "/desk/calls?q=refund")
        assert "/desk/calls/700" not in page
        assert "no page for it" in page


class TestCall:
    def test_shows_what_was_said_and_where_points_come_from(self, browse: Browse, audited: list[tuple[str, dict[str, Any]]]) -> None:
        page = page_of(browse(), CALL)
        assert 'src="/calls/700000000000123/audio"' in page
        assert page.count('class="turn ') == 6
        assert 'data-seek="0.6" data-until="1.9"' in page
        assert "the recorder answered 503" in page
        assert audited == [("call read", {"original": False, "page": True})]

    def test_an_operator_sees_the_records(self, browse: Browse) -> None:
        assert "calls.raw 3@1042" not in page_of(browse(), CALL)
        assert "calls.raw 3@1042" in page_of(browse(ADMIN), CALL)
        trace = "trace 4bf92f3577b34da6a3ce929d0e0e4736"
        assert trace not in page_of(browse(), CALL)
        assert page_of(browse(ADMIN), CALL).count(trace) == 1

    def test_the_original_is_for_those_who_may_see_it(self, browse: Browse, readings: Readings, audited: list[tuple[str, dict[str, Any]]]) -> None:
        assert "Show the original" not in page_of(browse(), CALL)
        assert "may not see this" in page_of(browse(), f"{CALL}?original=true", 403)
        assert audited == [("call read", {"original": False, "page": True})]
        assert "original=true" in page_of(browse(SEER), CALL)
        readings.one = whole(transcript=TranscriptShown(language="en", original=True, turns=[]))
        assert "holds personal data" in page_of(browse(SEER), f"{CALL}?original=true")

    def test_what_is_not_there_and_what_is_anothers_look_the_same(self, browse: Browse, readings: Readings) -> None:
        readings.one = None
        assert page_of(browse(), CALL, 404).count("Nothing is here") == 2
        assert page_of(browse(), "/desk/calls?tenant_id=globex", 404).count("Nothing is here") == 2

    def test_what_callers_and_agents_say_is_escaped(self, browse: Browse, readings: Readings) -> None:
        turn = TurnShown(speaker=HOSTILE, start=0, end=2, text=HOSTILE)
        readings.one = whole(row(agent_name=HOSTILE, skill=HOSTILE), transcript=TranscriptShown(language="en", original=False, turns=[turn]))
        readings.hops = timeline(reason=HOSTILE)
        assert "<script>alert" not in page_of(browse(), CALL)

    @pytest.mark.parametrize("status", list(Status))
    def test_a_call_of_which_nothing_is_known_yet(self, browse: Browse, readings: Readings, status: Status) -> None:
        bare = row(status=status, score=None, sentiment=None, composite=None, topic=None, agent_id="")
        readings.one = whole(bare, score_card=None, versions=[], felt=None, composed=None, recording=None, transcript=None, segments=[])
        readings.hops = timeline(hops=[], scored_after=None, on_time=None)
        page = page_of(browse(), CALL)
        assert "There is no recording of this call" in page
        assert "No score yet" in page

    def test_a_call_that_cannot_be_scored_says_why(self, browse: Browse, readings: Readings) -> None:
        card = whole().score_card
        assert card is not None
        card = card.model_copy(update={"outcome": "NOT_SCORABLE", "score": None, "reason": "silent", "detail": None, "breakdown": []})
        readings.one = whole(row(status=Status.NOT_SCORABLE, reason="silent", score=None), score_card=card)
        assert page_of(browse(), CALL).count("The recording is silent.") == 2

    def test_without_its_timeline_the_rest_is_shown(self, browse: Browse, readings: Readings) -> None:
        readings.hops = DOWN
        page = page_of(browse(), CALL)
        assert "cannot be read just now" in page
        assert "Good morning" in page


class TestFrame:
    def test_a_reader_is_not_led_to_what_is_closed_to_them(self, browse: Browse) -> None:
        assert "/desk/letters" not in page_of(browse(), "/")
        assert "/desk/letters" in page_of(browse(ADMIN), "/")

    def test_a_caller_of_all_tenants_chooses_one_and_keeps_it(self, browse: Browse, readings: Readings) -> None:
        client = browse(ADMIN)
        page = page_of(client, "/?tenant_id=globex")
        assert '<option value="globex" selected>' in page
        assert "tenant_id=globex" in page
        page_of(client, "/desk/calls")
        assert readings.asked[-1][0] == "globex"

    @pytest.mark.parametrize("tenant", ["a%22%3E%3Cscript%3E", "a%0D%0ASet-Cookie:%20x=1", "x" * 65])
    def test_what_is_no_tenant_is_not_found(self, browse: Browse, tenant: str) -> None:
        page_of(browse(ADMIN), f"/?tenant_id={tenant}", 404)

    def test_a_theme_is_kept_and_leads_back(self, browse: Browse) -> None:
        client = browse()
        assert "data-theme" not in page_of(client, "/")
        answer = client.get("/desk/look?theme=dark&next=/desk/calls%3Fsort%3Dscore")
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk/calls?sort=score")
        assert 'data-theme="dark"' in page_of(client, "/")
        client.get("/desk/look?theme=system")
        assert "data-theme" not in page_of(client, "/")

    @pytest.mark.parametrize(
        "address", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/%0Aa", "///x", "desk"]
    )
    def test_no_link_leads_to_another_host(self, browse: Browse, address: str) -> None:
        assert browse().get("/desk/look", params={"theme": "dark", "next": address}).headers["location"] in {"/", "/%0Aa"}

    def test_a_session_can_be_ended(self, browse: Browse) -> None:
        assert 'action="/logout"' in page_of(browse(SEER), "/")
        assert 'action="/logout"' not in page_of(browse(), "/")

    def test_words_numbers_and_times_are_the_readers(self, browse: Browse) -> None:
        page = page_of(browse(locale="vi", zone="Asia/Ho_Chi_Minh"), "/")
        assert '<html lang="vi"' in page
        assert "1.204" in page
        assert "15:14" in page

    def test_programs_get_problems_as_json(self, browse: Browse) -> None:
        answer = browse().get("/nothing", headers={"Accept": "application/json"})
        assert answer.headers["content-type"] == "application/problem+json"

    def test_a_file_with_its_digest_is_kept_and_others_are_asked_for_again(self, browse: Browse) -> None:
        client = browse()
        address = re.search(r"/static/app\.css\?v=\w+", page_of(client, "/"))
        assert address is not None
        assert "immutable" in client.get(address[0]).headers["cache-control"]
        assert client.get("/static/app.css?v=other").headers["cache-control"] == "no-cache"
        assert client.get("/static/../templates/base.html").status_code == 404
