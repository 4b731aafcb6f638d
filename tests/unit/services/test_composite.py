"""Quality and sentiment meet: in any order, however often, whatever breaks off in between (spec section 2.6)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.calls import STARTED
from tests.composites import call_event, felt, result
from tests.fakes.composite import FakeCompositeStore, FakeCompositeTable, FakeFeelings
from voc_stream.errors import OutageError
from voc_stream.events.calls import ScoringResult
from voc_stream.events.voc import CallEvent, QosMetric
from voc_stream.services.composite import Composite
from voc_stream.stages.annotation import NOTHING, Annotation
from voc_stream.stages.composite import Weights

ACME = ("acme", "c1")
DOWN = OutageError("postgres", "connection refused")

Heard = tuple[CallEvent, Annotation]


class Scene:
    def __init__(self) -> None:
        self.store, self.table, self.feelings = FakeCompositeStore(), FakeCompositeTable(), FakeFeelings()
        self.weights = Weights()
        self.composite = Composite(self.store, self.table, self.feelings, lambda: self.weights)

    async def feed(self, *fed: ScoringResult | Heard) -> None:
        """Feed one after the other; events are stored before they are heard."""
        for one in fed:
            if isinstance(one, ScoringResult):
                await self.composite.scored([one])
            else:
                await self.feelings.store(*one)
                await self.composite.heard([one[0]], [one[1]])

    def agree(self) -> None:
        """ClickHouse shows every call that has both sides, as PostgreSQL has it."""
        assert self.table.shown == {key: call for key, call in self.store.calls.items() if call.have_met}


SCORE, FEELING = result(80.0), (call_event(), felt(0.5))


@pytest.mark.parametrize("order", [(SCORE, FEELING), (FEELING, SCORE), (SCORE, FEELING, SCORE, FEELING, FEELING)])
async def test_both_sides_meet_in_either_order_and_however_often_they_come(order: tuple[ScoringResult | Heard, ...]) -> None:
    scene = Scene()
    await scene.feed(*order)

    assert scene.table.composites() == {ACME: Decimal("78.50")}
    scene.agree()


async def test_a_re_score_of_a_call_whose_events_were_removed_keeps_the_sentiment() -> None:
    scene = Scene()
    await scene.feed(SCORE, FEELING)
    scene.feelings.stored.clear()
    await scene.feed(result(20.0, model="m2", minute=5))

    assert scene.table.composites() == {ACME: Decimal("36.50")}
    scene.agree()


@pytest.mark.parametrize(("days", "meets"), [(-2, False), (-0.9, True), (30.9, True), (32, False)])
async def test_what_was_said_is_looked_for_from_a_day_before_the_call_to_a_month_after_it(days: float, meets: bool) -> None:  # noqa: FBT001
    scene = Scene()
    minute = int((STARTED + timedelta(days=days) - call_event().timestamp) / timedelta(minutes=1))
    await scene.feed((call_event(minute=minute), felt(0.5)), SCORE)

    assert (scene.table.composites() == {ACME: Decimal("78.50")}) is meets


async def test_a_call_that_nobody_scored_is_looked_for_and_nothing_is_written_of_it() -> None:
    scene = Scene()
    await scene.feed(FEELING)

    assert scene.store.asked == [ACME]
    assert scene.store.calls == {}


async def test_one_side_alone_shows_nothing() -> None:
    scene = Scene()
    await scene.feed(SCORE)
    await scene.feed((call_event(call_id="c2"), felt(0.5)))

    assert scene.table.shown == {}


async def test_calls_of_two_tenants_never_meet_whatever_they_are_called() -> None:
    scene = Scene()
    await scene.feed(SCORE, (call_event(tenant_id="globex"), felt(-1.0)))

    assert scene.table.shown == {}


async def test_a_re_score_takes_the_place_of_the_score_and_an_older_one_does_not() -> None:
    scene = Scene()
    await scene.feed(SCORE, FEELING, result(20.0, model="m2", minute=5), result(99.0, model="m0", minute=-5))

    assert scene.table.composites() == {ACME: Decimal("36.50")}
    scene.agree()


async def test_a_call_that_cannot_be_scored_has_no_composite_nor_one_that_no_longer_can() -> None:
    scene = Scene()
    await scene.feed(result(None), FEELING)
    assert scene.table.composites() == {ACME: None}
    await scene.feed(result(80.0, model="m2", minute=1))
    assert scene.table.composites() == {ACME: Decimal("78.50")}
    await scene.feed(result(None, model="m3", minute=2))
    assert scene.table.composites() == {ACME: None}


async def test_only_calls_whose_sentiment_is_known_are_heard() -> None:
    scene = Scene()
    metric = QosMetric(event_id=call_event().event_id, tenant_id="acme", timestamp=call_event().timestamp, call_id="c1", metric="jitter", value=1.0)
    await scene.composite.heard([metric, call_event()], [felt(0.5), NOTHING])

    assert scene.store.asked == []


async def test_calls_without_a_tenant_wait_until_they_have_one() -> None:
    scene = Scene()
    await scene.feed(result(tenant_id="unassigned"))

    assert scene.store.calls == {}


async def test_a_window_that_holds_a_call_twice_is_one_statement() -> None:
    scene = Scene()
    await scene.feed(SCORE)
    await scene.composite.heard([call_event(minute=1), call_event(minute=0, number=2)], [felt(0.5), felt(-0.5)])

    feeling = scene.store.calls[ACME].feeling
    assert feeling is not None
    assert (feeling.sentiment, scene.store.calls[ACME].revision) == (0.5, 2)


async def test_weights_hold_for_what_comes_after_them() -> None:
    scene = Scene()
    scene.weights = Weights(1, tenants={"acme": Decimal("0.500")})
    await scene.feed(SCORE, FEELING)
    assert scene.table.composites() == {ACME: Decimal("77.50")}
    scene.weights = Weights(2, tenants={"acme": Decimal("1.000")})
    await scene.feed(SCORE)
    assert scene.table.composites() == {ACME: Decimal("80.00")}


FAULTS: dict[str, Callable[[Scene], None]] = {
    "before the commit": lambda scene: scene.store.faults.fail_next("before", DOWN),
    "after the commit, its reply lost": lambda scene: scene.store.faults.fail_next("after", DOWN),
    "before ClickHouse has it": lambda scene: scene.table.faults.fail_next("before", DOWN),
    "after ClickHouse has it": lambda scene: scene.table.faults.fail_next("after", DOWN),
}
LOOKS: dict[str, Callable[[Scene], None]] = {
    "while the quality is looked for": lambda scene: scene.store.faults.fail_next("scored", DOWN),
    "while the sentiment is looked for": lambda scene: scene.feelings.faults.fail_next("newest", DOWN),
}


@pytest.mark.parametrize("fault", [*FAULTS, *LOOKS])
@pytest.mark.parametrize("order", [(SCORE, FEELING), (FEELING, SCORE)])
async def test_what_breaks_off_anywhere_is_whole_after_it_came_again(fault: str, order: tuple[ScoringResult | Heard, ...]) -> None:
    scene = Scene()
    await scene.feed(order[0])
    (FAULTS | LOOKS)[fault](scene)
    with suppress(OutageError):  # only one of the sides looks for the other one's half
        await scene.feed(order[1])
    await scene.feed(order[1])

    assert scene.table.composites() == {ACME: Decimal("78.50")}
    scene.agree()


moments = st.integers(-3, 3)
feeds = st.one_of(
    st.builds(
        lambda score, model, minute, call: result(score, model=model, minute=minute, call_id=call),
        st.one_of(st.none(), st.integers(0, 100).map(float)),
        st.sampled_from(["m1", "m2"]),
        moments,
        st.sampled_from(["c1", "c2"]),
    ),
    st.builds(
        lambda sentiment, minute, number, call: (call_event(minute=minute, number=number, call_id=call), felt(sentiment)),
        st.floats(-1, 1),
        moments,
        st.integers(1, 3),
        st.sampled_from(["c1", "c2"]),
    ),
)


def distinct(fed: list[ScoringResult | Heard]) -> list[ScoringResult | Heard]:
    """One value for each (call, model, moment) and each (call, event, moment): a scorer's result and an event do not change once they are."""
    named = {
        (one.call_id, one.model_version, one.scored_at)
        if isinstance(one, ScoringResult)
        else (one[0].call_id, one[0].event_id, one[0].timestamp): one
        for one in fed
    }
    return list(named.values())


def run(*tasks: Coroutine[None, None, None], turns: Callable[[int], int] = lambda _: 0) -> None:
    """Drive coroutines to their ends, one turn at a time.

    Args:
        tasks: which.
        turns: of so many that are left, whose turn it is.

    Raises:
        OutageError: that of the task that failed; the others are killed where they are.
    """
    left = list(tasks)
    try:
        while left:
            whose = left[turns(len(left))]
            try:
                whose.send(None)
            except StopIteration:
                left.remove(whose)
    finally:
        for task in left:
            task.close()


def run_until_done(scene: Scene, one: ScoringResult | Heard) -> None:
    """Feed until no fault is left to meet: Kafka delivers again what was not acknowledged."""
    while True:
        with suppress(OutageError):
            run(scene.feed(one))
            return


@settings(max_examples=150, deadline=None, derandomize=True)
@given(fed=st.lists(feeds, max_size=8).map(distinct), data=st.data())
def test_any_order_with_any_repeats_and_crashes_ends_in_the_same_composites(fed: list[ScoringResult | Heard], data: st.DataObject) -> None:
    plain = Scene()
    for one in fed:
        run(plain.feed(one))

    troubled = Scene()
    for one in data.draw(st.permutations(fed)):
        for fault in data.draw(st.lists(st.sampled_from(sorted(FAULTS | LOOKS)), max_size=2)):
            (FAULTS | LOOKS)[fault](troubled)
            with suppress(OutageError):
                run(troubled.feed(one))
        for again in [one, *data.draw(st.lists(st.sampled_from(fed), max_size=2))]:
            run_until_done(troubled, again)

    assert troubled.table.composites() == plain.table.composites()
    troubled.agree()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(fed=st.lists(feeds, min_size=1, max_size=6).map(distinct), data=st.data())
def test_at_the_same_time_with_kills_in_between_they_end_in_the_same_composites(fed: list[ScoringResult | Heard], data: st.DataObject) -> None:
    """Each in a worker of its own, which does a step whenever it likes; all are killed together, and begin again."""
    plain = Scene()
    for one in fed:
        run(plain.feed(one))

    troubled = Scene()
    for lived in data.draw(st.lists(st.integers(1, 30), max_size=2)):
        left = iter(range(lived))

        def step(number: int) -> int:
            if next(left, None) is None:  # noqa: B023 - of this life
                raise DOWN
            return data.draw(st.integers(0, number - 1))

        with suppress(OutageError):
            run(*(troubled.feed(one) for one in fed), turns=step)
    run(*(troubled.feed(one) for one in fed), turns=lambda number: data.draw(st.integers(0, number - 1)))

    assert troubled.table.composites() == plain.table.composites()
    troubled.agree()
