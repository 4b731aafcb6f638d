"""Reads the recorder's search result while its bytes arrive (spec section 2.1); no I/O.

Both layouts are read, whichever was asked for: a result per segment (`inum="…"`), and a result per contact, whose field `inums` holds several
inums and whose other fields hold as many values, or one that all share. No tree is built: memory is that of one result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from voc_stream.clients.recorder_time import Window, span
from voc_stream.events.base import must_be_time
from voc_stream.stages.keys import call_id_of
from voc_stream.stages.outside import BadRecord, Segment

_DEEPEST = 16
_MOST_FIELDS = 1000
_MOST_RECORDS = 200_000
_NEVER_SPLIT = frozenset({"inums", "udfs"})


class MalformedResultError(Exception):
    """The answer is not a search result: not XML, with a DTD, or beyond every bound. The message is a sentence without its content."""


class SearchReader:
    """Reads one search result.

    Args:
        zone: the recorder's, for times without an offset.
        window: what was searched; it tells the two passes of a repeated hour apart.
        recorder_id: `AVAYA_RECORDER_ID`, whose length counts towards the call_id's.
    """

    def __init__(self, zone: tzinfo, window: Window, recorder_id: str = "") -> None:
        self.segments: list[Segment] = []
        self.rejects: list[BadRecord] = []
        self.results = 0
        self._zone, self._window, self._recorder_id = zone, window, recorder_id
        self._parser = DefusedXMLParser(target=_Results(self._take), forbid_dtd=True)

    def feed(self, chunk: bytes) -> None:
        """Read on.

        Raises:
            MalformedResultError: see there.
        """
        self._parse(lambda: self._parser.feed(chunk))

    def close(self) -> None:
        """End the document.

        Raises:
            MalformedResultError: it is not complete.
        """
        self._parse(self._parser.close)

    def _parse(self, step: Callable[[], object]) -> None:
        try:
            step()
        except DefusedXmlException:
            msg = "the search result has a document type or entities, which are refused"
            raise MalformedResultError(msg) from None
        except (ParseError, ValueError, LookupError):
            msg = "the search result is not well-formed XML"
            raise MalformedResultError(msg) from None

    def _take(self, attributes: dict[str, str], fields: dict[str, str]) -> None:
        self.results += 1
        xml = b""
        for inum, values in _records(attributes, fields):
            if len(self.segments) + len(self.rejects) >= _MOST_RECORDS:
                msg = "the search result has more records than any recorder returns"
                raise MalformedResultError(msg)
            try:
                self.segments.append(self._segment(inum, values))
            except ValueError as error:
                # Made once, however many inums of a contact are bad.
                xml = xml or _xml(attributes, fields)
                self.rejects.append(BadRecord(inum=inum[:64], reason=str(error), xml=xml))

    def _segment(self, inum: str, values: dict[str, str]) -> Segment:
        call_id_of(inum, self._recorder_id)
        started_at, ended_at = self._span(values)
        must_be_time("startedat", started_at)
        must_be_time("endedat", ended_at or started_at)
        return Segment(
            inum=inum,
            started_at=started_at,
            ended_at=ended_at,
            raw_agent=values.get("agents", "")[:256],
            other_parties=values.get("otherparties", "")[:1024],
            skill=values.get("skills", "")[:256],
            service=values.get("services", "")[:256],
            switch_call_id=values.get("switchcallid", "")[:128],
            udfs=values.get("udfs", ""),
        )

    def _span(self, values: dict[str, str]) -> tuple[datetime, datetime | None]:
        return span(values.get("startedat", ""), values.get("endedat", ""), values.get("duration", ""), self._zone, self._window)


def _records(attributes: dict[str, str], fields: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each inum of a result with its fields: one per segment, several per contact (each inum once)."""
    if "inums" not in fields:
        yield attributes.get("inum", fields.get("inum", "")).strip(), fields
        return
    inums = [inum.strip() for inum in fields["inums"].rstrip("; ").split(";")]
    columns = {name: text.split(";") for name, text in fields.items() if name not in _NEVER_SPLIT}
    first = {inum: at for at, inum in reversed(list(enumerate(inums)))}
    for at, inum in enumerate(inums):
        if first[inum] == at:
            own = {name: values[at].strip() for name, values in columns.items() if len(values) == len(inums)}
            yield inum, fields | own


def _xml(attributes: dict[str, str], fields: dict[str, str]) -> bytes:
    """Return the result as XML again, as it was read: names in lower case, spaces at the ends cut."""
    result = Element("result", attributes)
    for name, text in fields.items():
        SubElement(result, "field", name=name).text = text
    xml: bytes = tostring(result, encoding="utf-8")
    return xml


class _Results:
    """The parser's target: gathers the fields of one `result` at a time; names in any case, with or without a namespace."""

    def __init__(self, take: Callable[[dict[str, str], dict[str, str]], None]) -> None:
        self._take = take
        self._depth = 0
        self._attributes: dict[str, str] | None = None
        self._fields: dict[str, str] = {}
        self._name: str | None = None
        self._text: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST or len(self._fields) > _MOST_FIELDS:
            msg = "the search result is nested too deep or has a record with too many fields"
            raise MalformedResultError(msg)
        name = _local_name(tag)
        if name == "result":
            self._attributes, self._fields = {_local_name(key): value for key, value in attributes.items()}, {}
        elif name == "field" and self._attributes is not None:
            self._name, self._text = attributes.get("name", "").strip().lower(), []

    def data(self, text: str) -> None:
        if self._name is not None:
            self._text.append(text)

    def end(self, tag: str) -> None:
        self._depth -= 1
        name = _local_name(tag)
        if name == "field" and self._name is not None:
            self._fields[self._name], self._name = "".join(self._text).strip(), None
        elif name == "result" and self._attributes is not None:
            self._take(self._attributes, self._fields)
            self._attributes, self._fields = None, {}

    def close(self) -> None:
        """Nothing is left to give: every result was taken at its end."""


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2].lower()
