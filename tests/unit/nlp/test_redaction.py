"""Personal data in texts gets a mark; what is nobody's stays (docs/privacy.md)."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.evaluate_privacy import privacy
from voc_stream.labelled import read_rows
from voc_stream.nlp.redaction import Names, Redactor
from voc_stream.nlp.redaction_spoken import digits_of
from voc_stream.settings import Settings

REDACTOR = Redactor()
LABELLED = Path(__file__).parents[2] / "data" / "privacy.csv"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Card 4111 1111 1111 1111 till 12/27", "Card [card] till 12/27"),
        ("call (415) 555-0123", "call [phone]"),
        ("SSN 123-45-6789", "SSN [id]"),
        ("căn cước 001099012345", "căn cước [id]"),
        ("to jane.roe@example.com, please", "to [email], please"),
        ("jane dot roe at example dot com", "[email]"),
        ("it is four one five double five", "it is [number]"),
        ("số không chín một hai ba bốn năm sáu bảy tám", "số [phone]"),
        ("order number 4155550123 of 2026-11-22, $4,111.11", "order number 4155550123 of 2026-11-22, $4,111.11"),
        ("mã đơn hàng 0912345678, 25.000.000 đồng", "mã đơn hàng 0912345678, 25.000.000 đồng"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
    ],
)
def test_each_kind_has_its_mark_and_what_only_looks_like_one_stays(text: str, redacted: str) -> None:
    assert REDACTOR.redact(text) == redacted


@pytest.mark.parametrize("text", ["JANE ROE", "Roe, Jane", "jane", "Mrs Roe", "tôi là Nguyen Van Hung", "nguyễn văn hùng", "anh hung ơi"])
def test_known_names_are_found_without_regard_to_case_order_and_diacritics(text: str) -> None:
    assert "[name]" in REDACTOR.redact(text, Names(["Jane Roe", "Nguyễn Văn Hùng"]))


def test_a_name_that_is_also_a_word_is_not_taken_for_it_alone() -> None:
    names = Names(["Mark Young", "Lê Năm"])
    assert REDACTOR.redact("mark my words, the young one, năm nay", names) == "mark my words, the young one, năm nay"
    assert REDACTOR.redact("Mark Young called", names) == "[name] called"


def test_a_text_without_personal_data_comes_back_as_the_same_object() -> None:
    text = "Thank you, that was very helpful."
    assert REDACTOR.redact(text, Names(["Jane Roe"])) is text


def test_decomposed_letters_are_read_as_composed_ones() -> None:
    assert REDACTOR.redact(unicodedata.normalize("NFD", "Anh Hùng"), Names(["Trần Hùng"])) == "Anh [name]"


def test_other_national_ids_and_countries_are_a_matter_of_settings() -> None:
    german = Redactor(("DE",), ("de.idnr",))
    assert german.redact("Meine Nummer ist 030 901820 und die IdNr 36 574 261 809") == "Meine Nummer ist [phone] und die IdNr [id]"
    with pytest.raises(ValueError, match="xx"):
        Redactor(national_ids=("xx.yy",))
    with pytest.raises(ValueError, match="XX"):
        Redactor(("XX",))


@pytest.mark.parametrize(
    ("words", "digits"), [("four one five double five", "41555"), ("forty two", "42"), ("triple oh seven", "0007"), ("ba bốn", "34")]
)
def test_spoken_words_are_digits(words: str, digits: str) -> None:
    assert digits_of(words) == digits


@given(st.text(max_size=200))
def test_any_text_is_redacted_and_a_second_time_changes_nothing_more(text: str) -> None:
    once = REDACTOR.redact(text)
    assert REDACTOR.redact(once) == once


async def test_recall_and_precision_on_the_labelled_texts_are_as_the_docs_say() -> None:
    lines: list[str] = []
    assert await privacy(Settings(), read_rows(LABELLED), lines.append) == "recall=0.981 precision=0.977 texts_that_differ=13 not_suspected=10"
