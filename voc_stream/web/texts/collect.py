"""`make texts`: put the sentences of templates and pages into the catalogues. What a catalogue has keeps; what is no longer said goes."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from voc_stream.web.texts import CATALOGUES, LANGUAGES

WEB = CATALOGUES.parent
_HOW = [("**.py", "python"), ("templates/**.html", "jinja2")]
_OPTIONS = {"templates/**.html": {"newstyle_gettext": "true", "silent": "false"}}


def said(folder: Path = WEB) -> Catalog:
    """Return the sentences of all templates and pages."""
    found = Catalog(fuzzy=False)
    for _file, _line, sentence, _comments, _context in extract_from_dir(folder, _HOW, _OPTIONS):
        found.add(sentence)
    return found


def forms(string: object) -> list[str]:
    """Return the sentence, or all its plural forms."""
    return [str(form or "") for form in string] if isinstance(string, (list, tuple)) else [str(string or "")]


def read(language: str, folder: Path = CATALOGUES) -> Catalog:
    """Return a language's catalogue.

    Raises:
        babel.messages.pofile.PoFileError: it is not one.
    """
    with (folder / f"{language}.po").open("rb") as file:
        return read_po(file, locale=Locale(language), abort_invalid=True)


def collect(folder: Path = CATALOGUES) -> Iterator[str]:
    """Bring the catalogues up to date, and yield a line for each sentence that wants a translation.

    Args:
        folder: where the catalogues are.
    """
    for language in LANGUAGES:
        catalogue = read(language, folder)
        # Read anew: what is new becomes a part of the catalogue, and must not be part of the next one.
        catalogue.update(said(), no_fuzzy_matching=True, update_creation_date=False)
        for message in catalogue:
            if message.id and language == "en":
                message.string = message.id
            elif message.id and not all(forms(message.string)):
                yield f"{language}: {message.id}"
        (folder / f"{language}.po").write_bytes(_written(catalogue))


def _written(catalogue: Catalog) -> bytes:
    """Return a file that changes only where its sentences do: without dates and places."""
    body = io.BytesIO()
    write_po(body, catalogue, width=140, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)
    head = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Language: {catalogue.locale}\\n"\n"Plural-Forms: {catalogue.plural_forms}\\n"\n'
    )
    return head.encode() + body.getvalue()


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in collect())
