"""Adaptive concurrency: what answers, refusals and latency make of the number of places (spec section 2, ADR 0018)."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.stages.adaptive import Controller, Ticket, lowered

FLOOR, CEILING = 1, 32
# The latency that a dependency has with so many requests at once; None: it refuses.
Dependency = Callable[[int], float | None]


def made(floor: int = FLOOR, ceiling: int = CEILING, slack: float = 0.0) -> Controller:
    return Controller(floor, ceiling, lambda: 0.5, slack)


def constant(_: int) -> float:
    return 0.2


def queue(places: int) -> Dependency:
    return lambda level: 0.1 * max(1.0, level / places)


def refusing_above(most: int) -> Dependency:
    return lambda level: 0.1 if level <= most else None


def ask(controller: Controller, dependency: Dependency) -> int:
    """Take every place, and end with all answers in the order of the requests; return how many were refused."""
    taken = controller.limit
    tickets = [controller.begin(taken) for _ in range(taken)]
    latencies = [dependency(level) for level in range(1, taken + 1)]
    # Of a queue all wait equally long: who comes and goes in turn finds it as long as all are.
    whole = dependency(taken)
    for ticket, latency in zip(tickets, latencies, strict=True):
        if latency is None:
            controller.refused(ticket)
        else:
            controller.answered(ticket, latency if whole is None else whole)
    return latencies.count(None)


def places_of(controller: Controller, dependency: Dependency, times: int) -> list[int]:
    places = []
    for turn in range(1, times + 1):
        if turn % 100 == 0:
            controller.look()
        ask(controller, dependency)
        places.append(controller.limit)
    return places


def test_it_begins_at_the_ceiling() -> None:
    assert made().limit == CEILING


def test_a_dependency_that_does_not_care_gets_all_places_but_for_a_look_now_and_then() -> None:
    places = places_of(made(), constant, 300)

    assert sum(places) / len(places) > 0.99 * CEILING
    assert set(places) == {CEILING, CEILING * 3 // 4}


@pytest.mark.parametrize(("slack", "tries"), [(0.0, True), (0.03, False)])
def test_slowness_within_the_slack_is_none(*, slack: float, tries: bool) -> None:
    controller = made(slack=slack)
    places_of(controller, constant, 20)

    assert (min(places_of(controller, lambda _: 0.24, 20)) < CEILING) is tries


def test_an_equal_floor_and_ceiling_fix_the_number() -> None:
    controller = made(10, 10)

    assert set(places_of(controller, queue(2), 50) + places_of(controller, refusing_above(3), 50)) == {10}


@pytest.mark.parametrize("most", [5, 12, 20])
def test_refusals_lower_it_to_what_is_served_within_a_few_rounds(most: int) -> None:
    controller = made()

    assert places_of(controller, refusing_above(most), 12)[-1] == pytest.approx(most, abs=1 + most // 5)


def test_the_more_often_a_further_place_was_refused_the_more_rarely_it_is_tried() -> None:
    controller = made()
    refused = [turn for turn in range(600) if ask(controller, refusing_above(5))]
    pauses = [later - earlier for earlier, later in itertools.pairwise(refused)]

    assert pauses[-1] == max(pauses) >= 50


def test_it_grows_into_capacity_that_was_not_there_before() -> None:
    controller = made()
    places_of(controller, refusing_above(5), 100)

    assert places_of(controller, constant, 120)[-1] == CEILING


def test_after_an_outage_told_by_refusals_it_is_back_at_the_ceiling_soon() -> None:
    controller = made()
    places_of(controller, refusing_above(0), 50)
    assert controller.limit == FLOOR

    assert places_of(controller, constant, 60)[-1] == CEILING


def test_what_was_refused_before_the_cut_does_not_cut_again() -> None:
    controller = made()
    tickets = [controller.begin(level) for level in range(1, CEILING + 1)]
    for ticket in tickets[: CEILING // 2]:
        controller.refused(ticket)
    after = controller.limit
    for ticket in tickets[CEILING // 2 :]:
        controller.refused(ticket)

    assert after == CEILING // 2
    assert controller.limit == after


def test_a_request_that_is_never_answered_is_waited_for_before_there_are_more() -> None:
    controller = made()
    places_of(controller, refusing_above(5), 40)
    silent = controller.begin(1)
    before = controller.limit
    for _ in range(50):
        ask(controller, constant)
    assert controller.limit == before
    controller.refused(silent)

    assert controller.limit < before


def test_latency_that_fewer_places_mend_lowers_it() -> None:
    places = places_of(made(), queue(10), 200)

    assert sum(places[100:]) / 100 == pytest.approx(10, rel=0.2)


def test_latency_that_fewer_places_do_not_mend_leaves_them() -> None:
    controller = made()
    places_of(controller, constant, 20)
    places = places_of(controller, lambda _: 1.5, 90)

    assert places[-1] == CEILING
    assert sum(place < CEILING for place in places) <= 2
    assert controller.usual == pytest.approx(1.5)


def test_a_single_slow_round_changes_nothing() -> None:
    controller = made()
    places_of(controller, constant, 20)
    places = places_of(controller, lambda _: 2.0, 1) + places_of(controller, constant, 20)

    assert set(places) == {CEILING}


def test_without_demand_there_are_neither_more_nor_fewer_places() -> None:
    controller = made()
    places_of(controller, refusing_above(5), 40)
    before = controller.limit
    for latency in (0.1, 0.1, 5.0, 5.0, 5.0) * 100:
        controller.answered(controller.begin(1), latency)

    assert controller.limit == before


def test_endings_that_tell_nothing_change_nothing() -> None:
    controller = made()
    for _ in range(1000):
        controller.left(controller.begin(CEILING))

    assert controller.limit == CEILING


@given(st.lists(st.tuples(st.sampled_from(["begin", "answered", "refused", "left"]), st.floats(0.0, 1e6)), max_size=300), st.integers(1, 40))
def test_whatever_happens_it_stays_between_floor_and_ceiling(events: list[tuple[str, float]], ceiling: int) -> None:
    floor = max(1, ceiling // 3)
    controller = made(floor, ceiling)
    open_: list[Ticket] = []
    for what, latency in events:
        if what == "begin" or not open_:
            open_.append(controller.begin(len(open_) + 1))
        elif what == "answered":
            controller.answered(open_.pop(), latency)
        elif what == "refused":
            controller.refused(open_.pop(0))
        else:
            controller.left(open_.pop())
        assert floor <= controller.limit <= ceiling


@pytest.mark.parametrize(("lag", "places"), [(0, 32), (1000, 32), (1001, 31), (2000, 16), (8000, 4), (10**9, 2)])
def test_downloads_are_lowered_while_scoring_lags(lag: int, places: int) -> None:
    assert lowered(32, 2, lag=lag, threshold=1000) == places


def test_without_a_threshold_no_lag_lowers_the_downloads() -> None:
    assert lowered(32, 2, lag=10**9, threshold=0) == 32
