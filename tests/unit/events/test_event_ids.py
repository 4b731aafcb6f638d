"""Ids as text and as their bytes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.events.event_ids import ID_BYTES, packed

# Ours, that of a character beyond ASCII, and binascii's two.
_SAID = "no UUID|ascii|Non-hexadecimal|Odd-length"
GOOD = "8f1b2c52-3a3b-5a0e-9d53-5a3f6d1d7c11"


@given(ids=st.lists(st.uuids(), max_size=20))
def test_ids_are_packed_into_sixteen_bytes_each(ids: list[uuid.UUID]) -> None:
    assert packed([str(each) for each in ids]) == b"".join(each.bytes for each in ids)


@given(ids=st.lists(st.tuples(st.uuids(), st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_neither_case_nor_hyphens_make_another_id(ids: list[tuple[uuid.UUID, bool, bool]]) -> None:
    written = [(each.hex if bare else str(each)).upper() if upper else (each.hex if bare else str(each)) for each, bare, upper in ids]

    assert packed(written) == b"".join(each.bytes for each, _, _ in ids)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "7",
        GOOD[:-1],
        GOOD + "0",
        GOOD.replace("-", " "),
        GOOD.replace("8f", " 8"),
        GOOD.replace("8f", "zf"),
        GOOD.replace("8f", "é8"),
        GOOD.replace("8f", "٨f"),  # a digit, but not of ASCII
        GOOD.replace("-", "", 1) + "-",
        "-" + GOOD.replace("-", "", 1),
        GOOD.replace("-", "")[:-1] + "-",
        GOOD.replace("-", "")[:-2] + "  ",
        "{" + GOOD.replace("-", "") + "}",
        f"urn:uuid:{GOOD}",
    ],
)
@pytest.mark.parametrize("others", [(), (GOOD,), (GOOD.replace("-", ""),)])
def test_what_is_no_uuid_is_refused_among_others_too(bad: str, others: Sequence[str]) -> None:
    with pytest.raises(ValueError, match=_SAID):
        packed([*others, bad])


def test_ids_whose_lengths_make_up_for_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=_SAID):
        packed([GOOD + GOOD[:4], GOOD[4:]])


def test_no_ids_are_no_bytes() -> None:
    assert packed([]) == b""
    assert len(packed([GOOD])) == ID_BYTES
