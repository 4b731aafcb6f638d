"""Search answers, in both layouts of the recorder (spec §2.1)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from voc_stream.devstack.recorder.calls import Call, Style

Layout = Literal["segment", "contact"]

_CAMEL = {
    "startedat": "startedAt",
    "endedat": "endedAt",
    "otherparties": "otherParties",
    "switchcallid": "switchCallId",
}
_ALWAYS_PER_INUM = ("startedat", "endedat", "duration")

BROKEN_XML = b'<?xml version="1.0" encoding="UTF-8"?>\n<results><result inum="1"><field name="startedat">2026-'

# Nine levels of ten: a gigabyte of text for a parser that expands it.
DTD_BOMB = (
    b'<?xml version="1.0"?>\n<!DOCTYPE results [\n<!ENTITY e0 "recorder">\n'
    + b"".join(b'<!ENTITY e%d "%s">\n' % (level, b"&e%d;" % (level - 1) * 10) for level in range(1, 10))
    + b']>\n<results><result inum="1"><field name="udfs">&e9;</field></result></results>'
)


class Scribe:
    """Writes records down for a zone and a clock.

    Args:
        zone: the recorder's local zone.
        skew: how far the recorder's clock is ahead.
        now: the true time; a call that is not over by then has no end yet.
    """

    def __init__(self, zone: ZoneInfo, skew: timedelta, now: datetime) -> None:
        self._zone = zone
        self._skew = skew
        self._now = now

    def wall(self, moment: datetime) -> datetime:
        """The wall-clock time of the recorder at a true moment, without a zone: what it stores, compares and sorts by."""
        return (moment + self._skew).astimezone(self._zone).replace(tzinfo=None, fold=0)

    def by_segment(self, calls: Sequence[Call]) -> bytes:
        """`<result inum=…>` for every call."""
        root = ET.Element("results")
        for call in calls:
            _result(root, "inum", call.inum, self._fields(call, call.style), call.style)
        return _xml(root)

    def by_contact(self, contacts: Iterable[Sequence[Call]]) -> bytes:
        """`<result contactid=…>` for the segments of each contact; what differs among them is told per inum, separated by `;`."""
        root = ET.Element("results")
        for segments in contacts:
            style = segments[0].style
            told = [self._fields(call, style) for call in segments]
            fields = {"inums": ";".join(call.inum for call in segments)}
            for name in dict.fromkeys(name for each in told for name in each):
                values = [each.get(name, "") for each in told]
                shared = name == "udfs" or (name not in _ALWAYS_PER_INUM and len(set(values)) == 1)
                fields[name] = values[0] if shared else ";".join(values)
            _result(root, "contactid", f"9{segments[0].inum[1:]}", fields, style)
        return _xml(root)

    def _fields(self, call: Call, style: Style) -> dict[str, str]:
        fields = {"startedat": self._time(call.started_at, style)}
        seconds = call.seconds()
        if call.ended_at is not None and seconds is not None and call.over(self._now):
            if style.end != "duration":
                fields["endedat"] = self._time(call.ended_at, style)
            if style.end != "endedat":
                fields["duration"] = str(seconds) if style.duration == "seconds" else _hms(seconds)
        return fields | {
            "agents": call.agent,
            "otherparties": call.other_party,
            "skills": call.skill,
            "services": call.service,
            "switchcallid": call.switch_call_id,
            "udfs": call.udfs,
        }

    def _time(self, moment: datetime, style: Style) -> str:
        local = (moment + self._skew).astimezone(self._zone)
        match style.time:
            case "iso":
                return local.replace(tzinfo=None).isoformat(timespec="seconds")
            case "iso_offset":
                return local.isoformat(timespec="seconds")
            case "iso_z":
                return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            case "dmy":
                return local.strftime("%d/%m/%y %H:%M:%S")


def _hms(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _cased(name: str, style: Style) -> str:
    match style.case:
        case "lower":
            return name
        case "camel":
            return _CAMEL.get(name, name)
        case "upper":
            return name.upper()


def _result(root: ET.Element, key: str, value: str, fields: dict[str, str], style: Style) -> None:
    result = ET.SubElement(root, "result", {key: value})
    for name, text in fields.items():
        ET.SubElement(result, "field", {"name": _cased(name, style)}).text = text


def _xml(root: ET.Element) -> bytes:
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written
