"""The tenants' own keywords."""

from __future__ import annotations

import pytest

from voc_stream.nlp.topic_keywords import TopicKeywordsError, parse_topic_keywords

FILE = """
[acme]
delivery = ["courier", "parcel", "Giao hàng"]
billing = ["parcel fee"]

[globex]
warranty = ["guarantee"]
"""


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Where is my PARCEL?", "delivery"),
        ("the parcel fee is wrong", "billing"),
        ("parcels", None),
        ("Bao giờ giao hàng?", "delivery"),
        ("", None),
        ("a parcel" + " and so on" * 200_000, "delivery"),
    ],
)
def test_a_keyword_is_whole_words_in_any_case_and_script_and_the_longest_counts(text: str, topic: str | None) -> None:
    assert parse_topic_keywords(FILE).topic_of("acme", text) == topic


def test_keywords_are_their_tenants_own_and_may_name_topics_of_its_own() -> None:
    keywords = parse_topic_keywords(FILE)
    assert keywords.topic_of("globex", "my parcel and its guarantee") == "warranty"
    assert keywords.topic_of("initech", "my parcel") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[acme", "not TOML"),
        ("acme = 1", "acme is not a table"),
        ("[acme]\ndelivery = 'parcel'", "[acme] delivery: not a list"),
        ("[acme]\ndelivery = [1]", "[acme] delivery: a keyword is a text"),
        ("[acme]\ndelivery = ['...']", "[acme] delivery: a keyword is a text"),
        ("[acme]\ndelivery = ['a']\nbilling = ['A']", '[acme] billing: "a" already stands for delivery'),
        ("[acme]\n'' = ['a']", "[acme]: a topic's name"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_that_names_the_place(text: str, told: str) -> None:
    with pytest.raises(TopicKeywordsError) as caught:
        parse_topic_keywords(text)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
