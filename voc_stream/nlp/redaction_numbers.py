"""Numbers written in digits: cards, national ids, telephone numbers (docs/privacy.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module

import phonenumbers
from stdnum import luhn

CARD, NATIONAL_ID, PHONE, NUMBER = "card", "id", "phone", "number"

_SEPARATORS = r"[\s().\-\u2010-\u2015/]"
_CANDIDATE = re.compile(rf"(?<![\w])(?:\+\s?|\(\+?)?\d(?:{_SEPARATORS}{{0,3}}\d){{6,27}}(?!\w)")
_GROUP = re.compile(r"\d+")
_LOCAL = re.compile(r"\d{3}[ .-]\d{4}")
_SSN_SHAPE = re.compile(r"\d{3}([ -])\d{2}\1\d{4}")
# Ids with letters, as other countries have them.
_LETTERED = re.compile(r"(?<![\w])(?=[A-Za-z]*\d{3,})[A-Za-z0-9][A-Za-z0-9.\-]{6,19}(?![\w])")
_CARDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|64[4-9]\d|65\d{2}|62\d{2}|35(?:2[89]|[3-8]\d)|9704)\d{12,15}|3(?:0[0-5]|[689]\d)\d{11}|(?:50|5[6-8]|6[0137])\d{14}"
)
# How far before a number its meaning is looked for, in characters.
_BEFORE = 48
_OTHER = re.compile(
    r"\b(?:order|invoice|ticket|case|reference|ref|tracking|contract|serial|model|transaction|confirmation|booking|parcel|claim|policy|item"
    r"|meter|imei|version)\b|đơn hàng|mã đơn|hóa đơn|hoá đơn|hợp đồng|vận đơn|giao dịch|mã số|số seri|đặt chỗ|phiếu",
    re.IGNORECASE,
)
_CALLED = re.compile(
    r"\b(?:phone|telephone|cell|mobile|call(?: me| back)?|reach(?: me)?|text me|whatsapp|zalo|fax|hotline)\b"
    r"|điện thoại|sđt|số máy|gọi|liên hệ|liên lạc",
    re.IGNORECASE,
)
_IDENTITY = re.compile(r"\b(?:social security|ssn|social|national id|passport|cccd|cmnd|id card)\b|căn cước|chứng minh|định danh", re.IGNORECASE)
_ASKED = re.compile(
    r"\b(?:card|account|number is|digits|pin|code|ending|expir\w*|security)\b|thẻ|tài khoản|mật mã|mã pin|số là|bốn số cuối", re.IGNORECASE
)


class Numbers:
    """Tells what a number is.

    Args:
        regions: of national telephone numbers.
        national_ids: `vn.cccd`, or modules of python-stdnum.

    Raises:
        ValueError: there is no such country or module; the message names it.
    """

    def __init__(self, regions: tuple[str, ...], national_ids: tuple[str, ...]) -> None:
        for region in regions:
            if region not in phonenumbers.SUPPORTED_REGIONS:
                raise ValueError(f"no such country: {region!r}")
        self._regions = regions
        self._ids = {name: _validator(name) for name in national_ids}
        self._lettered = [valid for name, valid in self._ids.items() if name not in {"us.ssn", "vn.cccd"}]

    def found_in(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield start, end and kind of each number."""
        for candidate in _CANDIDATE.finditer(text):
            yield from self._in_candidate(text, candidate.start(), candidate.end())
        if self._lettered:
            for candidate in _LETTERED.finditer(text):
                if any(valid(candidate.group()) for valid in self._lettered):
                    yield (*candidate.span(), NATIONAL_ID)

    def kind_of(self, raw: str, before: str) -> str | None:
        """Return what a number is, or None for nobody's.

        Args:
            raw: digits, with what stands between them.
            before: the text before it.
        """
        digits = "".join(filter(str.isdigit, raw))
        if is_card(digits):
            return CARD
        nearest = _nearest(before)
        if self._is_national_id(raw.strip(), digits, nearest):
            return NATIONAL_ID
        if self._is_phone(raw, digits, nearest):
            return PHONE
        return None

    def _in_candidate(self, text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        """Try all of it, then fewer and fewer of its groups: a card's number may be followed by its date."""
        groups = [found.span() for found in _GROUP.finditer(text, start, end)]
        at = 0
        while at < len(groups):
            left = start if at == 0 else groups[at][0]
            before = text[max(0, left - _BEFORE) : left]
            for last in range(len(groups) - 1, at - 1, -1):
                kind = self.kind_of(text[left : groups[last][1]], before)
                if kind is not None:
                    yield left, groups[last][1], kind
                    at = last
                    break
            at += 1

    def _is_national_id(self, raw: str, digits: str, nearest: str) -> bool:
        if "us.ssn" in self._ids and len(digits) == 9 and (_SSN_SHAPE.fullmatch(raw) or nearest == "identity") and nearest != "other":
            return self._ids["us.ssn"](f"{digits[:3]}-{digits[3:5]}-{digits[5:]}") or nearest == "identity"
        if "vn.cccd" in self._ids and nearest != "other":
            return (len(digits) == 12 and self._ids["vn.cccd"](digits)) or (len(digits) in {9, 12} and nearest == "identity")
        return any(valid(raw) for valid in self._lettered)

    def _is_phone(self, raw: str, digits: str, nearest: str) -> bool:
        international = raw.lstrip("( ").startswith("+")
        if nearest == "other" and not international:
            return False
        if nearest == "called" and _LOCAL.fullmatch(raw.strip()):
            return True
        if not 8 <= len(digits) <= 15 or (len(digits) < 9 and not international):
            return False
        if international:
            return any(_is_number(raw, region) for region in self._regions[:1] or ("US",)) or len(digits) >= 9
        return any(_is_number(digits, region) for region in self._regions) or (nearest == "called" and len(digits) in {9, 10, 11})


def is_card(digits: str) -> bool:
    """Whether digits are a payment card's number: of an issuer's range and length, its check digit right (Luhn)."""
    return 12 < len(digits) <= 19 and _CARDS.fullmatch(digits) is not None and luhn.is_valid(digits) and len(set(digits)) > 1


def is_asked_for(before: str) -> bool:
    """Whether the text before a number asks for a secret one: fewer digits then count."""
    return _ASKED.search(before) is not None or _nearest(before) in {"called", "identity"}


def is_other(before: str) -> bool:
    """Whether the text before a number says that it is an order's, a contract's or the like."""
    return _nearest(before) == "other"


def _nearest(before: str) -> str:
    """Return which kind of word is nearest to the number that follows."""
    places = {name: max((found.end() for found in pattern.finditer(before)), default=-1) for name, pattern in _KINDS}
    best = max(places, key=lambda name: places[name])
    return best if places[best] >= 0 else ""


_KINDS = (("other", _OTHER), ("called", _CALLED), ("identity", _IDENTITY))


@lru_cache(maxsize=4096)
def _is_number(raw: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(raw, region))
    except phonenumbers.NumberParseException:
        return False


def _is_cccd(digits: str) -> bool:
    """Vietnam's citizen id: a province (001 to 096), sex and century of birth, year, six more; stdnum has none."""
    return len(digits) == 12 and digits.isdigit() and 1 <= int(digits[:3]) <= 96 and digits[3] in "0123"


def _validator(name: str) -> Callable[[str], bool]:
    if name == "vn.cccd":
        return _is_cccd
    try:
        valid: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
    except (ImportError, AttributeError):
        msg = f"no such national id: {name!r}"
        raise ValueError(msg) from None
    return valid
