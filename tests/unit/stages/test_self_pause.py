"""When a stage pauses itself, when it is tried again, and how fast one tenant's rubbish may be dead-lettered (docs/adr/0017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.stages.self_pause import MOST_TENANTS, LetterRates, PauseRules, SelfPause, tenant_in

RULES = PauseRules(ratio=0.5, sample=100, run=10, tenants=3, seconds=60.0)
BAD_DEPLOY = {"acme": 4, "globex": 4, "initech": 4, "umbrella": 4}


def of(pause: SelfPause, *chunks: tuple[int, Mapping[Any, int]], now: float = 0.0) -> list[bool]:
    """Note chunks of (passed, dead letters by tenant); whether each one's letters may be written."""
    return [pause.note(passed, dead, now) for passed, dead in chunks]


def paused() -> SelfPause:
    pause = SelfPause(RULES)
    assert of(pause, (0, BAD_DEPLOY)) == [False]
    return pause


# a run


def test_a_run_of_dead_letters_of_several_tenants_pauses_before_its_last_chunk_is_written() -> None:
    pause = SelfPause(RULES)
    ones = [(0, {tenant: 1}) for _ in range(5) for tenant in ("acme", "globex", "initech")]
    may_write = of(pause, *ones)
    assert may_write.index(False) == 14, "those of one tenant, five by now, do not count"
    assert pause.reason == "15 dead letters one after the other, of 3 tenants"


def test_one_record_that_passes_ends_a_run() -> None:
    pause = SelfPause(RULES)
    assert of(pause, (0, {"acme": 4, "globex": 4, "initech": 4}), (1, {}), (0, {"acme": 4, "globex": 4, "initech": 4})) == [True] * 3


def test_one_tenant_never_pauses_a_stage_however_much_it_sends() -> None:
    pause = SelfPause(RULES)
    assert of(pause, *[(0, {"acme": 1000})] * 10) == [True] * 10


def test_one_tenant_with_a_bad_record_of_two_others_beside_it_does_not_pause_a_stage() -> None:
    pause = SelfPause(RULES)
    assert of(pause, *[(0, {"acme": 1000, "globex": 1, "initech": 1})] * 4) == [True] * 4


def test_two_tenants_are_too_few_where_three_are_asked_for() -> None:
    pause = SelfPause(RULES)
    assert of(pause, (0, {"acme": 500, "globex": 500})) == [True]


def test_a_run_of_records_that_name_nobody_pauses_a_stage_for_nobody_could_be_throttled() -> None:
    pause = SelfPause(RULES)
    assert of(pause, (0, {None: 9}), (0, {None: 1})) == [True, False]
    assert pause.reason == "10 dead letters one after the other, of 0 tenants and of nobody that can be told"


# a ratio


def test_half_of_the_last_records_pauses_although_others_pass() -> None:
    pause = SelfPause(RULES)
    chunk = (2, {"acme": 1, "globex": 1, "initech": 1})
    may_write = of(pause, *[chunk] * 30)
    assert may_write.index(False) == 19, "not before there are 100 records"
    assert "60 dead letters among the last 100 records, of 3 tenants" in (pause.reason or "")


def test_less_than_the_ratio_goes_on() -> None:
    pause = SelfPause(RULES)
    assert all(of(pause, *[(7, {"acme": 1, "globex": 1, "initech": 1})] * 100))


def test_the_worst_tenant_is_left_out_of_the_ratio() -> None:
    pause = SelfPause(RULES)
    assert all(of(pause, *[(20, {"acme": 80, "globex": 1, "initech": 1})] * 20))


def test_records_that_name_nobody_do_not_pause_a_stage_that_serves_others() -> None:
    pause = SelfPause(RULES)
    assert all(of(pause, *[(1, {None: 99})] * 20))


def test_what_happened_before_the_last_records_is_forgotten() -> None:
    pause = SelfPause(RULES)
    of(pause, (100_000, {}))
    may_write = of(pause, *[(1, {"acme": 1, "globex": 1, "initech": 1})] * 30)
    assert may_write.index(False) == 24


def test_a_chunk_without_dead_letters_never_pauses() -> None:
    pause = SelfPause(RULES)
    of(pause, (40, {"acme": 9, "globex": 9, "initech": 9}))
    assert of(pause, (0, {}), (0, {}), (5, {})) == [True] * 3


# while it is paused


def test_while_it_is_paused_no_letter_is_written_and_what_passes_passes() -> None:
    assert of(paused(), (0, {"acme": 1}), (5, {}), (5, {"acme": 1})) == [False, True, False]


def test_it_may_be_tried_when_its_time_is_over() -> None:
    pause = paused()
    assert (pause.may_try(59.9), pause.may_try(60.0)) == (False, True)
    assert not SelfPause(RULES).may_try(1e9), "what is not paused is not tried"


def test_a_chunk_that_passes_ends_the_pause_and_everything_is_counted_anew() -> None:
    pause = paused()
    pause.tried(1, {}, 60.0)
    assert pause.reason is None
    assert of(pause, (0, {"acme": 3, "globex": 3, "initech": 3}), now=61.0) == [True]


def test_a_chunk_that_fails_too_makes_the_pause_longer() -> None:
    pause = paused()
    pause.tried(1, {"acme": 2}, 60.0)
    assert pause.reason is not None
    assert (pause.may_try(119.9), pause.may_try(120.0)) == (False, True)


def test_after_an_operator_s_word_nothing_pauses_it_for_a_while() -> None:
    pause = paused()
    pause.resume(10.0)
    assert pause.reason is None
    assert of(pause, *[(0, BAD_DEPLOY)] * 3, now=69.9) == [True] * 3
    assert of(pause, (0, BAD_DEPLOY), now=70.0) == [False]


def test_made_up_tenants_do_not_fill_the_memory() -> None:
    pause = SelfPause(PauseRules(run=10**9))
    for number in range(5000):
        pause.note(0, {f"tenant-{number}": 1}, 0.0)
    assert len(pause._run) <= MOST_TENANTS + 1
    assert len(pause._recent) <= 201


@given(st.lists(st.tuples(st.integers(0, 50), st.dictionaries(st.sampled_from(["a", "b", None]), st.integers(1, 500), max_size=2)), max_size=50))
def test_two_named_tenants_pause_a_stage_only_beside_records_that_name_nobody(chunks: list[tuple[int, dict[Any, int]]]) -> None:
    pause = SelfPause(RULES)
    nameless = any(None in dead for _, dead in chunks)
    assert all(of(pause, *chunks)) or nameless


@given(st.lists(st.integers(3, 40), min_size=30, max_size=60))
def test_when_every_record_of_many_tenants_dies_the_letters_stay_below_the_run_and_a_chunk(sizes: list[int]) -> None:
    pause = SelfPause(RULES)
    written = 0
    for size in sizes:
        dead: dict[str | None, int] = {f"tenant-{number}": 1 for number in range(size)}
        written += size if pause.note(0, dead, 0.0) else 0
    assert written < 2 * RULES.run + 2


# rates


def test_a_tenant_may_have_a_burst_and_then_so_many_a_second() -> None:
    rates = LetterRates(per_second=2.0, burst=5.0)
    assert rates.take("acme", 100, 0.0) == 10
    assert rates.take("acme", 1, 0.4) == 0
    assert rates.take("acme", 100, 3.0) == 6


def test_tenants_do_not_share_a_rate() -> None:
    rates = LetterRates(per_second=1.0)
    rates.take("acme", 1000, 0.0)
    assert rates.take("globex", 30, 0.0) == 30
    assert rates.throttled(0.0) == {"acme", "globex"}
    assert rates.throttled(1.0) == frozenset()


def test_letters_that_are_written_in_any_case_are_paid_for_later() -> None:
    rates = LetterRates(per_second=2.0, burst=5.0)
    rates.spend("acme", 20, 0.0)
    assert rates.wait("acme", 0.0) == pytest.approx(5.5)
    assert rates.wait("acme", 5.5) == 0.0
    assert rates.wait("globex", 0.0) == 0.0


def test_a_rate_below_its_burst_does_not_become_more_than_its_burst() -> None:
    rates = LetterRates(per_second=2.0, burst=5.0)
    rates.take("acme", 1, 0.0)
    assert rates.take("acme", 100, 1e6) == 10


def test_a_very_small_rate_still_lets_one_through() -> None:
    rates = LetterRates(per_second=0.01)
    assert rates.take(None, 5, 0.0) == 1
    assert rates.wait(None, 0.0) == pytest.approx(100.0)


def test_only_so_many_tenants_are_remembered_and_the_one_without_a_letter_for_longest_is_forgotten() -> None:
    rates = LetterRates(per_second=1.0)
    rates.spend("first", 1000, 0.0)
    rates.spend("second", 1000, 0.0)
    for number in range(MOST_TENANTS - 2):
        rates.spend(f"tenant-{number}", 1000, 0.0)
        rates.spend("first", 1, 0.0)
    rates.spend("one more", 1000, 0.0)
    throttled = rates.throttled(0.0)
    assert len(throttled) == MOST_TENANTS
    assert "first" in throttled
    assert "second" not in throttled


# whose it is


@pytest.mark.parametrize(
    ("value", "tenant_id"),
    [
        (b'{"tenant_id":"acme"}', "acme"),
        (b'{"event_id": 7, "tenant_id" : "acme-1.b_c", "cut o', "acme-1.b_c"),
        (b'{"tenant_id":"' + b"t" * 64 + b'"}', "t" * 64),
        (b'{"tenant_id":"' + b"t" * 65 + b'"}', None),
        (b'{"tenant_id":"../x"}', None),
        (b'{"tenant_id":7}', None),
        (b"\xff\x00 garbage", None),
        (b"", None),
        (None, None),
    ],
)
def test_a_value_that_cannot_be_read_may_still_name_its_tenant(value: bytes | None, tenant_id: str | None) -> None:
    assert tenant_in(value) == tenant_id
