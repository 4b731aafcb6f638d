"""The words of a text in any script, as keywords are looked for in it."""

from __future__ import annotations

import re
import unicodedata

# A keyword shows in the first pages of a text; a longer one must not hold up its partition.
MOST_CHARACTERS = 20_000

_WORD = re.compile(r"[\w']+")
_PARTING = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) in "_'")}


def words_of(text: str) -> list[str]:
    """Return the words of ``text`` in order, lower case: runs of letters, digits, `_` and `'`; of a very long text those of its beginning."""
    text = text[:MOST_CHARACTERS].lower()
    if text.isascii():
        return text.translate(_PARTING).split()
    return _WORD.findall(unicodedata.normalize("NFC", text).replace("\u2019", "'"))
