"""How dead letters would fare today, and that nothing is sent for it."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.fakes.letters import Shelf, letter
from tests.voc import action_value
from voc_stream import topics
from voc_stream.clients.letter_rows import LetterFilter
from voc_stream.services.dry_run import MOST_REASONS, DryRun, Findings
from voc_stream.services.trial import Trials
from voc_stream.settings import Settings
from voc_stream.stages.tenants import TenantMap

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ALL = LetterFilter(topic="voc.calls")


async def found(shelf: Shelf, where: LetterFilter = ALL, *, limit: int | None = None) -> Findings:
    trial = DryRun(letters=shelf, trials=Trials(Settings(), TenantMap), most_requeues=3, now=lambda: NOW)
    return [each async for each in trial.run(where, limit=limit)][-1]


def event(number: int) -> bytes:
    return action_value(number, timestamp=NOW)


async def test_letters_are_counted_by_fingerprint_with_how_they_stand_and_the_reasons_of_today() -> None:
    shelf = Shelf()
    shelf.add(*(letter(number, value=event(number)) for number in range(1, 251)))
    shelf.add(*(letter(number, value=b"{broken") for number in range(300, 304)))
    shelf.add(letter(400, fingerprint="f2", error_type="rejected", value=event(400)))
    shelf.add(letter(401, fingerprint="f2", error_type="rejected", value=event(401), requeues=3))

    findings = await found(shelf)

    assert list(findings.groups) == ["f2", "f1"]
    first, second = findings.groups["f1"], findings.groups["f2"]
    assert (first.letters, first.passes, first.fails, first.unknown, first.barred) == (254, 250, 4, 0, 0)
    assert (second.letters, second.passes, second.fails, second.unknown, second.barred) == (2, 0, 0, 1, 1)
    ((reason, count),) = first.today.items()
    assert reason.startswith("malformed: ")
    assert count == 4
    assert second.today == {"sent back 3 times already": 1}
    assert findings.complete
    assert set(shelf.states.values()) == {"open"}
    assert shelf.audit == []


async def test_only_open_letters_are_tried_and_no_more_than_asked_for() -> None:
    shelf = Shelf()
    shelf.add(*(letter(number, value=event(number)) for number in range(1, 31)))
    shelf.states[30] = "discarded"

    findings = await found(shelf, limit=10)
    assert (findings.total("letters"), findings.complete) == (10, False)

    findings = await found(shelf, limit=1000)
    assert (findings.total("letters"), findings.complete) == (29, True)


async def test_a_letter_that_cannot_be_read_is_counted_and_keeps_no_other() -> None:
    shelf = Shelf()
    shelf.add(letter(1, value=event(1)), letter(2))
    shelf.unreadable.add(2)

    group = (await found(shelf)).groups["f1"]

    assert (group.passes, group.barred) == (1, 1)


async def test_many_kinds_of_reasons_are_told_up_to_a_bound() -> None:
    shelf = Shelf()
    shelf.add(*(letter(number, topic=topics.CALLS_RAW, stage=f"s{number}", fingerprint="f", value=b"{}") for number in range(1, 3)))
    group = (await found(shelf, LetterFilter(fingerprint="f"))).groups["f"]
    for number in range(1000):
        group.bar(f"why {number}")
    assert len(group.today) == MOST_REASONS + 1
    assert group.today.total() == group.letters == 1002


async def test_it_is_told_in_json() -> None:
    shelf = Shelf()
    shelf.add(letter(1, value=b"{broken"))

    told = (await found(shelf)).described()

    (group,) = told.pop("groups")
    assert told == {"letters": 1, "passes": 0, "fails": 1, "unknown": 0, "barred": 0, "complete": True}
    assert group["fingerprint"] == "f1"
    assert group["today"][0]["letters"] == 1
    assert "broken" not in str(group)
