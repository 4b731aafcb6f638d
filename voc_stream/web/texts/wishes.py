"""Which language, formats and time zone a reader wishes."""

from __future__ import annotations

from datetime import tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError

LANGUAGES = ("en", "vi")
# A header may be as long as the server lets it be; nobody reads more languages than this.
_MOST_LANGUAGES = 20
_MOST_ZONES = 700


def wished_locale(chosen: str, accepted: str) -> Locale:
    """Return the locale of whom words are there for: `en-GB` gives English words and British dates.

    Args:
        chosen: by the reader, a language or a locale; anything else is as if nothing had been chosen.
        accepted: an Accept-Language header.
    """
    accepts = [locale for locale in map(_known, _by_preference(accepted)) if locale]
    choice = _known(chosen)
    if choice is None:
        return accepts[0] if accepts else Locale("en")
    # Who chose a language keeps the formats of the country that the browser names for it.
    return next((locale for locale in accepts if locale.language == choice.language and not choice.territory), choice)


@lru_cache(maxsize=_MOST_ZONES)
def wished_zone(name: str) -> tzinfo:
    """Return the zone of an IANA name; UTC where there is none of that name."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):  # unknown, a path, a folder
        return ZoneInfo("UTC")


def _by_preference(accepted: str) -> list[str]:
    """Return the tags of a header, those of equal weight in its order."""
    weighed = []
    for part in accepted.split(",")[:_MOST_LANGUAGES]:
        tag, _, weight = part.partition(";")
        weighed.append((_weight(weight), tag.strip()))
    return [tag for weight, tag in sorted(weighed, key=lambda pair: -pair[0]) if weight > 0]


def _weight(text: str) -> float:
    if not text.strip():
        return 1.0
    try:
        return min(max(float(text.strip().removeprefix("q=")), 0.0), 1.0)
    except ValueError:
        return 0.0


def _known(tag: str) -> Locale | None:
    try:
        locale = Locale.parse(tag.replace("_", "-"), sep="-") if tag and len(tag) <= 20 else None
    except (ValueError, TypeError, UnknownLocaleError):
        return None
    return locale if locale and locale.language in LANGUAGES else None
