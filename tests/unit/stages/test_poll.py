"""Which windows of call starts are searched, so that no call is missed (spec section 2.1)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.stages.made import segment
from voc_stream.stages.poll import Timing, Window, halves, raw_call, sliding_windows, sweep_windows, swept_up_to

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USUAL = Timing(window=60, guard=30, sweep=60, longest_call=7200, largest_window=3600)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


# the sliding window


def test_the_sliding_window_goes_from_90_to_30_seconds_ago() -> None:
    assert sliding_windows(None, NOW, USUAL) == [Window(ago(90), ago(30))]


def test_a_checkpoint_inside_the_window_does_not_shorten_it() -> None:
    assert sliding_windows(ago(60), NOW, USUAL) == [Window(ago(90), ago(30))]


def test_after_an_outage_the_gap_is_polled_in_windows_no_larger_than_the_largest_and_oldest_first() -> None:
    windows = sliding_windows(ago(8000), NOW, USUAL)

    assert windows == [Window(ago(8000), ago(4400)), Window(ago(4400), ago(800)), Window(ago(800), ago(30))]


def test_a_checkpoint_in_the_future_does_not_stop_polling() -> None:
    assert sliding_windows(NOW + timedelta(hours=1), NOW, USUAL) == [Window(ago(90), ago(30))]


# the sweep


def test_the_first_sweep_looks_back_as_far_as_the_longest_call_plus_period_and_guard() -> None:
    windows = sweep_windows(None, NOW, USUAL)

    assert windows[0].start == ago(7200 + 60 + 30)
    assert windows[-1].end == ago(30)


def test_a_sweep_looks_back_from_its_checkpoint_where_that_is_older() -> None:
    assert sweep_windows(ago(10_000), NOW, USUAL)[0].start == ago(10_000 + 7290)


def test_a_whole_sweep_moves_its_checkpoint_to_now() -> None:
    (*_, last) = sweep_windows(None, NOW, USUAL)

    assert swept_up_to(last, NOW, USUAL) == NOW


def test_half_a_sweep_moves_its_checkpoint_only_so_far_that_the_rest_is_swept_again() -> None:
    first, second, *_ = sweep_windows(ago(50_000), NOW, USUAL)
    checkpoint = swept_up_to(first, NOW, USUAL)

    assert checkpoint < NOW
    assert sweep_windows(checkpoint, NOW, USUAL)[0].start == second.start


@given(st.integers(0, 50_000), st.integers(100, 5000))
def test_windows_tile_the_gap_without_a_hole_and_none_is_larger_than_the_largest(gap: int, largest: int) -> None:
    timing = Timing(window=60, guard=30, sweep=60, longest_call=600, largest_window=largest)
    for windows in (sliding_windows(ago(gap), NOW, timing), sweep_windows(ago(gap), NOW, timing)):
        assert all(window.end - window.start <= timedelta(seconds=largest) for window in windows)
        assert all(before.end == after.start for before, after in itertools.pairwise(windows))
        assert windows[-1].end == ago(30)


# the model: polls at any times, with outages, find every call that ended


@dataclass
class Model:
    """A recorder, two checkpoints, and what was found."""

    timing: Timing
    calls: list[tuple[int, int]]
    window_checkpoint: datetime | None = None
    sweep_checkpoint: datetime | None = None
    found: set[int] = field(default_factory=set)

    def poll(self, now: datetime, breaks_after: int | None) -> None:
        for window in sliding_windows(self.window_checkpoint, now, self.timing)[:breaks_after]:
            self._search(window, now)
            self.window_checkpoint = max(self.window_checkpoint or window.end, window.end)

    def sweep(self, now: datetime, breaks_after: int | None) -> None:
        for window in sweep_windows(self.sweep_checkpoint, now, self.timing)[:breaks_after]:
            self._search(window, now)
            reached = swept_up_to(window, now, self.timing)
            self.sweep_checkpoint = max(self.sweep_checkpoint or reached, reached)

    def _search(self, window: Window, now: datetime) -> None:
        """What has ended is told; what is in progress is left for later."""
        self.found |= {
            number for number, (start, duration) in enumerate(self.calls) if window.start <= at(start) <= window.end and at(start + duration) <= now
        }

    def ended_by(self, now: datetime) -> set[int]:
        guard = timedelta(seconds=self.timing.guard)
        return {number for number, (start, duration) in enumerate(self.calls) if at(start + duration) <= now and at(start) <= now - guard}


def at(second: int) -> datetime:
    return NOW + timedelta(seconds=second)


LONGEST = 300
CALLS = st.lists(st.tuples(st.integers(-LONGEST, 5000), st.integers(0, LONGEST)), min_size=1, max_size=20)
STEPS = st.lists(st.tuples(st.integers(1, 900), st.sampled_from(["poll", "sweep"]), st.none() | st.integers(0, 4)), min_size=1, max_size=25)
TIMINGS = st.builds(
    Timing,
    window=st.integers(30, 120),
    guard=st.integers(0, 60),
    sweep=st.integers(10, 120),
    longest_call=st.just(LONGEST),
    largest_window=st.integers(20, 900),
)


@given(timing=TIMINGS, calls=CALLS, steps=STEPS)
def test_whatever_the_polls_and_outages_a_whole_sweep_has_found_every_call_that_ended(
    timing: Timing, calls: list[tuple[int, int]], steps: list[tuple[int, str, int | None]]
) -> None:
    model = Model(timing, calls)
    model.sweep(NOW, None)
    now = NOW
    for seconds, what, breaks_after in steps:
        now += timedelta(seconds=seconds)
        (model.poll if what == "poll" else model.sweep)(now, breaks_after)
    model.sweep(now, None)

    assert model.found >= model.ended_by(now)


@given(timing=TIMINGS, starts=st.lists(st.integers(0, 5000), min_size=1, max_size=20), steps=STEPS)
def test_calls_that_end_within_the_guard_are_found_by_the_sliding_window_alone(
    timing: Timing, starts: list[int], steps: list[tuple[int, str, int | None]]
) -> None:
    model = Model(timing, [(start, 0) for start in starts])
    model.poll(NOW, None)
    now = NOW
    for seconds, _what, breaks_after in steps:
        now += timedelta(seconds=seconds)
        model.poll(now, breaks_after)
    model.poll(now, None)

    assert model.found >= model.ended_by(now)


# the recorder's cap


def test_a_window_that_is_as_long_as_the_cap_is_halved() -> None:
    assert halves(Window(ago(90), ago(30))) == (Window(ago(90), ago(60)), Window(ago(59), ago(30)))


@pytest.mark.parametrize("window", [Window(NOW, NOW), Window(NOW + timedelta(milliseconds=100), NOW + timedelta(milliseconds=100))])
def test_a_window_of_one_second_cannot_be_halved(window: Window) -> None:
    parts = halves(window)

    assert parts is None or all(halves(part) is None for part in parts)


@given(st.integers(0, 100_000), st.integers(0, 999), st.integers(0, 700), st.integers(0, 999))
def test_halving_ends_at_single_seconds_which_cover_every_second_of_the_window(start: int, start_ms: int, seconds: int, end_ms: int) -> None:
    window = Window(NOW + timedelta(seconds=start, milliseconds=start_ms), NOW + timedelta(seconds=start + seconds + 1, milliseconds=end_ms))
    single: list[datetime] = []
    todo = [window]
    while todo:
        part = todo.pop()
        if (parts := halves(part)) is None:
            assert part.start == part.end
            single.append(part.start)
        else:
            todo += parts

    first, last = window.start.replace(microsecond=0), window.end
    assert min(single) == first
    assert len(single) == len(set(single))
    assert all(after - before == timedelta(seconds=1) for before, after in zip(sorted(single), sorted(single)[1:], strict=False))
    assert last <= max(single) < last + timedelta(seconds=1)


# what is published


def test_a_segment_becomes_the_same_value_at_every_poll() -> None:
    one, two = (raw_call(segment(), call_id="r1-7", tenant_id="acme", sealed_udfs="v1.k.n.c") for _ in range(2))

    assert one is not None
    assert one == two
    assert (one.call_id, one.tenant_id, one.event_ts, one.sealed_udfs) == ("r1-7", "acme", one.ended_at, "v1.k.n.c")


def test_a_segment_without_an_end_is_left_for_the_next_sweep() -> None:
    assert raw_call(segment(seconds=None), call_id="7", tenant_id="acme", sealed_udfs="") is None
