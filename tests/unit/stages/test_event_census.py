"""What becomes of each offset of the customer events' topics."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from voc_stream.stages.completeness import NOBODY, Equation, Forget, Hop, Remedy
from voc_stream.stages.event_census import Circumstances, Findings, TooMany, Unstored, census, settled_by
from voc_stream.stages.ranges import Claim, ClaimId, Range, Seen

HOUR = datetime(2026, 11, 22, 9, tzinfo=UTC)
ID = uuid.uuid4()
RECORD = Unstored(7, HOUR + timedelta(minutes=1), "acme", ID, HOUR)
ABOUT = Circumstances(kept_since={}, remembered_since=HOUR - timedelta(days=1))


def tell(about: Circumstances = ABOUT, **differs: Any) -> dict[str, Equation]:
    whole: dict[str, Any] = {"topic": "voc.calls", "partition": 3, "hour": HOUR, "stored": {}, "letters": {}}
    return {each.tenant_id: each for each in census(Findings(**(whole | differs)), about)}


def test_every_offset_is_stored_a_duplicate_a_dead_letter_or_was_forgotten() -> None:
    found = tell(stored={"acme": 5, "globex": 2}, letters={9: "acme", 10: None}, unstored=[RECORD], elsewhere={("acme", ID)}, forgotten=3, waiting=4)

    assert {tenant: (each.hop, each.left, dict(each.terms), each.gap_count) for tenant, each in found.items()} == {
        "acme": (Hop.STORE, 7, {"stored": 5, "dead letters": 1, "duplicates": 1}, 0),
        "globex": (Hop.STORE, 2, {"stored": 2}, 0),
        NOBODY: (Hop.STORE, 8, {"dead letters": 1, "forgotten": 3, "on its way": 4}, 0),
    }


def test_an_event_that_nobody_stored_is_named_by_its_offset_and_can_be_stored_again() -> None:
    (gap,) = tell(unstored=[RECORD])["acme"].gaps

    assert (gap.subject, gap.remedy, gap.where, gap.topic) == ("voc.calls[3]@7", Remedy.STORE, (3, 7), "voc.calls")


def test_the_same_id_of_another_tenant_is_no_copy() -> None:
    assert tell(unstored=[RECORD], elsewhere={("globex", ID)})["acme"].gap_count == 1


def test_what_the_ledger_of_windows_decided_not_to_store_is_a_duplicate() -> None:
    assert dict(tell(unstored=[RECORD], settled={7})["acme"].terms) == {"duplicates": 1}


def test_what_is_no_event_and_has_no_dead_letter_is_a_gap_that_nothing_closes() -> None:
    (gap,) = tell(unstored=[Unstored(7, HOUR)])[NOBODY].gaps

    assert gap.remedy is None


def test_beyond_the_memory_of_the_ledger_a_tenant_that_was_forgotten_is_not_brought_back() -> None:
    about = Circumstances(forgets=[Forget("acme", "ref", HOUR + timedelta(hours=1))], kept_since={}, remembered_since=HOUR + timedelta(hours=2))
    (gap,) = tell(about, unstored=[RECORD])["acme"].gaps

    assert gap.remedy is None


def test_what_is_past_its_retention_is_no_gap() -> None:
    about = Circumstances(kept_since={"acme": HOUR + timedelta(days=1)}, remembered_since=HOUR)

    assert dict(tell(about, unstored=[RECORD])["acme"].terms) == {"past their retention": 1}


def test_what_is_stored_twice_or_gone_or_too_much_is_named_and_not_expected() -> None:
    found = tell(twice=[(4, "acme", 2)], gone=[(0, 3, "these records are gone")], too_many=TooMany(5, 7, 10, 20))

    assert [(gap.subject, gap.remedy) for gap in found["acme"].gaps] == [("voc.calls[3]@4", None)]
    assert [(gap.subject, gap.what) for gap in found[NOBODY].gaps] == [
        ("voc.calls[3]@10-19", "7 offsets here are not stored, more than are looked at one by one"),
        ("voc.calls[3]@0-2", "these records are gone"),
    ]
    assert (found["acme"].left, found[NOBODY].left, dict(found[NOBODY].terms)) == (0, 5, {"duplicates": 5})


CLAIM = ClaimId(1, 1)


def deltas(*offsets: int) -> bytes:
    return b"".join(offset.to_bytes(4, "little") for offset in offsets)


def test_a_window_settles_what_it_held_and_did_not_accept() -> None:
    window = Range(CLAIM, 10, 19, 0, deltas(0, 1, 5), b"")
    old = Seen(CLAIM, 0, 9, 0, deltas(2), b"")

    assert settled_by([Claim(CLAIM, 0, ()), window, old], np.array([2, 3, 10, 12, 30])).tolist() == [3, 12]


def test_what_any_window_accepted_is_to_be_stored() -> None:
    """A former owner's row may disagree: what it left out another one stored."""
    assert settled_by([Range(CLAIM, 0, 9, 0, b"", b""), Range(ClaimId(2, 2), 0, 9, 0, deltas(4), b"")], np.array([4])).tolist() == []
