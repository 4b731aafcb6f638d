"""Personal data in a JSON value as it came: its strings are replaced where they stand, and every other byte stays as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from voc_stream.nlp.redaction import NOBODY, Names, Redactor
from voc_stream.nlp.redaction_numbers import is_card

# A string, with the colon behind it where it is a name; or a number long enough for somebody's.
_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"(\s*:)?|(?<![\w.+\-"])\d{9,19}(?![\w.])', re.DOTALL)
# What identifies things, and times: whatever digits it has.
_IDENTIFIES = re.compile(r"(?:^|_|[a-z](?=I))(?:id|uuid|key|at|ts|type|version|model|trace|span|session)$", re.IGNORECASE)
_IDENTITIES = frozenset({"timestamp", "event_id", "event_type", "ingest_uuid", "host", "release"})
# What only a person has: the whole value is it.
_PERSON = re.compile(
    r"(?:customer|caller|callee|client|contact|party|first|last|middle|full|given|family|maiden|holder|agent|user)_name$|^(?:sur|fore)name$",
    re.IGNORECASE,
)
_TELEPHONE = re.compile(r"phone|mobile|msisdn|telephone|^tel$|caller_number|^ani$", re.IGNORECASE)
_CARD = re.compile(r"card|(?:^|_)pan$", re.IGNORECASE)
_NATIONAL = re.compile(r"(?:^|_)(?:ssn|cccd|cmnd|national_id|passport)(?:$|_)", re.IGNORECASE)
_decode = msgspec.json.Decoder(str).decode
_encode = msgspec.json.encode


def redact_payload(value: bytes, redactor: Redactor, names: Names = NOBODY, replaced: Mapping[str, str] | None = None) -> bytes:
    """Return the value with marks in the place of personal data; the very same object where there is none.

    Args:
        value: JSON in UTF-8 that was decoded before.
        redactor: reads each string.
        names: of people who are known to be spoken of; those that the value itself names (`customer_name`) are added.
        replaced: values of the member `customer_id` that are personal data themselves, and what stands for them.
    """
    names = Names([*names.written, *own_names(value)]) if b'_name"' in value else names
    place = [""]

    def token(found: re.Match[bytes]) -> bytes:
        whole = found.group()
        if found.group(2) is not None:
            place[0] = _text(found.group(1))
            return whole
        if found.group(1) is None:
            mark = _mark_of_number(whole.decode(), place[0])
            return b'"[%s]"' % mark.encode() if mark else whole
        text = _text(found.group(1))
        new = _new(place[0], text, redactor, names, replaced or {})
        return whole if new is text else _encode(new)

    made = _TOKEN.sub(token, value)
    return value if made == value else made


def own_names(value: bytes) -> list[str]:
    """Return the people whom a JSON value names in members such as `customer_name`."""
    found, name = [], ""
    for token in _TOKEN.finditer(value):
        if token.group(2) is not None:
            name = _text(token.group(1))
        elif token.group(1) and _PERSON.search(name):
            found.append(_text(token.group(1)))
    return found


def _new(name: str, text: str, redactor: Redactor, names: Names, replaced: Mapping[str, str]) -> str:
    if not text:
        return text
    if name == "customer_id" and text in replaced:
        return replaced[text]
    if _PERSON.search(name):
        return "[name]"
    if name in _IDENTITIES or _IDENTIFIES.search(name):
        return redactor.redact(text, names) if "@" in text or text.startswith("+") or " " in text else text
    if text.isdigit() and (mark := _mark_of_number(text, name)):
        return f"[{mark}]"
    return redactor.redact(text, names)


def _mark_of_number(digits: str, name: str) -> str | None:
    """Return what a bare number is: counters and times are long, too, so its name must say so."""
    if _CARD.search(name) and is_card(digits):
        return "card"
    if _TELEPHONE.search(name):
        return "phone"
    return "id" if _NATIONAL.search(name) else None


def _text(inner: bytes) -> str:
    return _decode(b'"%s"' % inner) if b"\\" in inner else inner.decode()
