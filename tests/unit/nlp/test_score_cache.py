from __future__ import annotations

from voc_stream.nlp.score_cache import ScoreCache


def test_a_score_is_found_by_text_language_and_model() -> None:
    cache, other = ScoreCache("m:1", 10), ScoreCache("m:2", 10)
    cache.put(cache.key("good", "en"), 0.5)
    assert cache.get(cache.key("good", "en")) == 0.5
    assert cache.get(cache.key("good", "de")) is None
    assert cache.get(cache.key("Good", "en")) is None
    assert cache.get(other.key("good", "en")) is None


def test_white_space_and_composition_do_not_matter() -> None:
    cache = ScoreCache("m:1", 10)
    assert cache.key(" caf\u00e9  is\ngood ", "en") == cache.key("cafe\u0301 is good", "en")


def test_any_text_has_a_key() -> None:
    assert len(ScoreCache("m:1", 10).key("lone \ud800 \x00", "")) == 16


def test_what_was_not_used_for_longest_goes() -> None:
    cache = ScoreCache("m:1", 2)
    first, second, third = (cache.key(text, "en") for text in ("a", "b", "c"))
    cache.put(first, 0.1)
    cache.put(second, 0.2)
    assert cache.get(first) == 0.1
    cache.put(third, 0.0)
    assert (cache.get(first), cache.get(second), cache.get(third)) == (0.1, None, 0.0)
    assert len(cache) == 2
