"""Names of people who are known to be spoken of, found without regard to case and diacritics (docs/privacy.md)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property

NAME = "name"

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_SHORTEST_ALONE = 3
# Between the parts of a name.
_JOIN = r"[\s.\-]{1,3}"
_LONGEST_NAME = 128
# Words of both languages that are parts of names as well: alone they are no name.
_COMMON = frozenset(
    """
    agent an anh art ba bach bao bich bill binh bob buu cam cao case chau chi chris church cong customer dan day dean dong drew duc dung duy
    ep faith field gene gia giang glad grace grant guy ha hai han hand hang hanh hao harry hien hoa hoai hoang hong hope huong joy khanh khoa
    kim king lam lan lane lieu linh loan long love luong mai man mark may minh miss mr mrs ms my nam nga ngan nghia ngoc nguyen nhan nhi nick
    oanh old pat penny phong phu phuc phuong price quan quang que quy ray rich rob rose ruby sam sandy son sue summer tai tam tan tay test
    than thanh thao thi thien tho thu thuan thuy tien tin tinh toan trang tri trinh trong tu tuan tung tuyen tuyet user van viet vinh vy wang
    way white will xuan yen young
    """.split()  # noqa: SIM905 - a hundred quotes more
)
_TITLE = r"(?:mr|mrs|ms|miss|mister|madam|sir|dr|anh|chị|ông|bà|cô|chú|bác|em|bạn)"


class Names:
    """The names of the parties of one call, or of one event.

    Args:
        names: as they are written down, `Jane Roe` or `Roe, Jane`; what is empty or has no letters counts for nothing.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.written = tuple(names)
        self._names = tuple(dict.fromkeys(tuple(_WORD.findall(unicodedata.normalize("NFC", name[:_LONGEST_NAME]))) for name in self.written))

    def __bool__(self) -> bool:
        return any(self._names)

    @cached_property
    def _whole(self) -> re.Pattern[str] | None:
        orders = {order for name in self._names if len(name) > 1 for order in (name, name[::-1], (*name[1:], name[0]), (name[0], name[-1]))}
        written = sorted((_JOIN.join(map(re.escape, map(folded, order))) for order in orders), key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(written)})\d{{0,4}}(?!\w)") if written else None

    @cached_property
    def _alone(self) -> re.Pattern[str] | None:
        parts = {part for name in self._names for part in name}
        sure = sorted(folded(part) for part in parts if len(part) >= _SHORTEST_ALONE and folded(part) not in _COMMON)
        titled = sorted(folded(part) for part in parts if len(part) > 1)
        if not titled:
            return None
        either = [rf"(?<!\w)(?P<sure>{'|'.join(map(re.escape, sure))})\d{{0,4}}(?!\w)"] if sure else []
        return re.compile("|".join((*either, rf"(?<!\w){folded(_TITLE)}\.?\s(?P<titled>{'|'.join(map(re.escape, titled))})(?!\w)")))

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset(part.lower() for name in self._names for part in name)

    def found_in(self, text: str) -> list[tuple[int, int, str]]:
        """Return start, end and `name` of each; whole names first, then what stands alone and can hardly be anything else.

        Args:
            text: composed (NFC).
        """
        if not self:
            return []
        plain = folded(text)
        spans: list[tuple[int, int, str]] = []
        if self._whole is not None:
            spans = [(*found.span(), NAME) for found in self._whole.finditer(plain)]
        for start, end, _ in spans:
            plain = f"{plain[:start]}{' ' * (end - start)}{plain[end:]}"
        if self._alone is not None:
            spans += [(*found.span(found.lastgroup or 0), NAME) for found in self._alone.finditer(plain) if self._is_meant(text, found)]
        return spans

    def _is_meant(self, text: str, found: re.Match[str]) -> bool:
        """Whether a single word is the name: written as the name is, or, where only its letters without diacritics agree, with a capital."""
        if found.lastgroup == "titled":
            return True
        word = text[slice(*found.span(found.lastgroup or 0))]
        return word[:1].isupper() or word.lower().rstrip("0123456789") in self._exact


NOBODY = Names()


def folded(text: str) -> str:
    """Return a text in small letters without diacritics, each character in its place."""
    return text.lower() if text.isascii() else text.translate(_FOLD)


class _Fold(dict[int, str]):
    def __missing__(self, code: int) -> str:
        character = chr(code)
        base = "d" if character in "đĐ" else unicodedata.normalize("NFD", character)[0].lower()
        self[code] = base if len(base) == 1 else character
        return self[code]


_FOLD = _Fold()
