"""The pages' words, numbers and times in a reader's language, formats and time zone (docs/page.md, docs/adr/0028-live-and-texts.md).

A template says its sentences in English, in `_()` or `ngettext()`; the catalogues beside this file (`en.po`, `vi.po`) hold them in each language.
`make texts` puts new sentences into the catalogues, and a test refuses a sentence that a catalogue lacks.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request

from voc_stream.web.texts.formats import FILTERS, Formats
from voc_stream.web.texts.wishes import LANGUAGES, wished_locale, wished_zone

CATALOGUES = Path(__file__).parent


class Texts(Formats):
    """The words of one reader's language, beside the numbers and times of `Formats`."""

    def gettext(self, sentence: str) -> str:
        """Return a sentence in the reader's language; in English where the catalogue lacks it."""
        return _catalogue(self.locale.language).gettext(sentence)

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        """Return the sentence that fits a number, its placeholders not filled in."""
        return _catalogue(self.locale.language).ngettext(singular, plural, number)


def of(request: Request) -> Texts:
    """Return the texts for who asks: the cookies `locale` and `zone`, then Accept-Language, then English and UTC."""
    locale = wished_locale(request.cookies.get("locale", ""), request.headers.get("accept-language", ""))
    return Texts(locale, wished_zone(request.cookies.get("zone", "")))


def N_(sentence: str) -> str:  # noqa: N802 - gettext's own name: the extraction looks for it
    """Mark a sentence that is shown elsewhere, by `_(name)`."""
    return sentence


def install(env: Environment) -> None:
    """Give templates `_()`, `ngettext()`, `{% trans %}` and the filters of `formats`. Each context must hold `texts`, a `Texts`.

    A sentence's placeholders are filled in and escaped: `_("%(name)s is new", name=…)`; a percent sign in it is `%%`.
    """
    env.add_extension("jinja2.ext.i18n")
    env.extend(newstyle_gettext=True)
    env.globals |= {"_": _gettext, "gettext": _gettext, "ngettext": _ngettext}
    env.filters |= FILTERS


@pass_context
def _gettext(context: Context, sentence: str, /, **values: object) -> Markup:
    return Markup(_texts(context).gettext(sentence)) % values  # noqa: S704 - the catalogues are ours, and values are escaped


@pass_context
def _ngettext(context: Context, singular: str, plural: str, number: int, /, **values: object) -> Markup:
    """Fill in the number, as the reader writes it, as `num`."""
    texts = _texts(context)
    return Markup(texts.ngettext(singular, plural, number)) % {"num": texts.number(number), **values}  # noqa: S704


def _texts(context: Context) -> Texts:
    texts = context["texts"]
    if not isinstance(texts, Texts):
        msg = "a template was rendered without its reader's texts"
        raise TypeError(msg)
    return texts


@cache
def _catalogue(language: str) -> Translations:
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        sentences = read_po(file, locale=Locale(language), abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, sentences)
    compiled.seek(0)
    return Translations(compiled)


__all__ = ["CATALOGUES", "LANGUAGES", "N_", "Formats", "Texts", "install", "of"]
