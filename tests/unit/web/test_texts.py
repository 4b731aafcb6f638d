"""The catalogues say everything that pages say, and a reader gets their own language, formats and zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from babel.messages.catalog import Message
from jinja2 import Environment, TemplateSyntaxError
from starlette.requests import Request

from voc_stream.web import texts
from voc_stream.web.texts import Texts, collect
from voc_stream.web.texts.wishes import wished_locale, wished_zone

AT = datetime(2026, 11, 22, 16, 5, 54, tzinfo=UTC)
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
_PLACEHOLDER = re.compile(r"%\((\w+)\)s|(%%)|(%)")


def _messages(language: str) -> list[Message]:
    return [message for message in collect.read(language) if message.id]


def _placeholders(sentence: str) -> set[str]:
    return {"".join(found) for found in _PLACEHOLDER.findall(sentence)}


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_each_sentence_of_templates_and_pages_is_in_the_catalogue_and_no_other(language: str) -> None:
    said = {str(message.id) for message in collect.said() if message.id}
    assert said == {str(message.id) for message in _messages(language)}, "run: make texts"


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_each_sentence_is_translated(language: str) -> None:
    assert not [message.id for message in _messages(language) if message.fuzzy or not all(collect.forms(message.string))]


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_translation_has_the_placeholders_of_its_sentence(language: str) -> None:
    for message in _messages(language):
        wanted = _placeholders(collect.forms(message.id)[-1])
        assert "%" not in wanted, f"a percent sign is written %%: {message.id}"
        for form in collect.forms(message.string):
            # Of one thing a language may leave out the number.
            assert _placeholders(form) in ({*wanted}, wanted - {"num"}), message.id


def test_collecting_again_changes_nothing(tmp_path: Path) -> None:
    for language in texts.LANGUAGES:
        (tmp_path / f"{language}.po").write_bytes((texts.CATALOGUES / f"{language}.po").read_bytes())
    assert list(collect.collect(tmp_path)) == []
    for language in texts.LANGUAGES:
        assert (tmp_path / f"{language}.po").read_bytes() == (texts.CATALOGUES / f"{language}.po").read_bytes(), "run: make texts"


@pytest.mark.parametrize(
    ("chosen", "accepted", "locale"),
    [
        ("", "", "en"),
        ("", "vi-VN,vi;q=0.9,en;q=0.5", "vi_VN"),
        ("", "de-DE,en-GB;q=0.7,vi;q=0.3", "en_GB"),
        ("", "vi;q=0,en", "en"),
        ("vi", "en-GB", "vi"),
        ("en", "vi,en-GB;q=0.1", "en_GB"),
        ("de", "", "en"),
        ("../../etc", "x" * 10_000 + ",;q=,,q=1;;", "en"),
        ("en", "en;q=nan,vi;q=1e999", "en"),
    ],
)
def test_what_the_reader_chose_goes_before_what_the_browser_says(chosen: str, accepted: str, locale: str) -> None:
    assert str(wished_locale(chosen, accepted)) == locale


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "a\0b", "Asia"])
def test_a_zone_that_is_none_is_utc(name: str) -> None:
    assert wished_zone(name).utcoffset(AT) == timedelta(0)


def test_cookies_of_a_request_say_language_and_zone() -> None:
    headers = [(b"cookie", b"locale=vi; zone=Asia/Ho_Chi_Minh"), (b"accept-language", b"en")]
    assert texts.of(Request({"type": "http", "headers": headers})) == Texts(Locale("vi"), HANOI)


def test_numbers_and_times_are_written_as_the_reader_does() -> None:
    british, vietnamese = Texts(Locale("en", "GB"), ZoneInfo("Europe/London")), Texts(Locale("vi"), HANOI)
    assert british.number(1234.5, 1) == "1,234.5"
    assert vietnamese.number(1234.5, 1) == "1.234,5"
    assert british.moment(AT) == "22 Nov 2026, 16:05"
    assert vietnamese.clock(AT) == "23:05:54"
    assert vietnamese.day(AT + timedelta(hours=1)) == vietnamese.day(date(2026, 11, 23))
    assert vietnamese.ago(AT - timedelta(minutes=7), AT) == "7 phút trước"
    assert british.percent(0.1234, 1) == "12.3%"


def test_a_change_has_its_sign_and_nothing_has_none() -> None:
    english = Texts(Locale("en"), UTC)
    assert [english.signed(value, 1) for value in (1.26, -1.26, 0.04, -0.04)] == ["+1.3", "-1.3", "0.0", "0.0"]
    assert [english.signed_percent(value) for value in (0.126, -0.126, 0.004)] == ["+13%", "-13%", "0%"]


def test_spans_are_minutes_and_seconds() -> None:
    english = Texts(Locale("en"), UTC)
    assert [english.span(seconds) for seconds in (5, 65, 3723.6)] == ["0:05", "1:05", "1:02:04"]


def test_what_is_not_known_is_a_dash() -> None:
    english = Texts(Locale("en"), UTC)
    names = ("number", "signed", "percent", "signed_percent", "moment", "day", "clock", "ago", "span", "duration")
    assert {getattr(english, name)(None) for name in names} == {"–"}  # noqa: RUF001 - an en dash is meant


def _environment() -> Environment:
    env = Environment(autoescape=True)
    texts.install(env)
    return env


def test_a_template_speaks_the_readers_language_and_escapes_what_it_fills_in() -> None:
    shown = (
        _environment().from_string("{{ _('%(n)s of %(all)s', n='<b>', all=1234|number) }} {{ 0.5|percent }}").render(texts=Texts(Locale("vi"), UTC))
    )
    assert "&lt;b&gt;" in shown
    assert "1.234" in shown


def test_a_number_is_filled_in_as_the_reader_writes_it() -> None:
    shown = _environment().from_string("{{ ngettext('%(num)s thing', '%(num)s things', 1234) }}").render(texts=Texts(Locale("en"), UTC))
    assert shown == "1,234 things"


def test_a_template_without_its_readers_texts_is_an_error() -> None:
    with pytest.raises((TypeError, KeyError)):
        _environment().from_string("{{ _('Calls') }}").render()


def test_templates_can_be_parsed() -> None:
    env = _environment()
    for file in (collect.WEB / "templates").rglob("*.html"):
        try:
            env.parse(file.read_text())
        except TemplateSyntaxError as error:
            pytest.fail(f"{file}: {error}")
