from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from voc_stream.scoring.audio import BLOCK, RATE
from voc_stream.scoring.conversation import Span
from voc_stream.scoring.packing import WINDOW, Cutter, Window, plan
from voc_stream.scoring.vad import FRAME

DURATION = 120.0
CALL = np.arange(round(DURATION * RATE), dtype=np.float32)


def spans_of(lengths: list[tuple[float, float]]) -> tuple[Span, ...]:
    spans: list[Span] = []
    at = 0.0
    for pause, speech in lengths:
        if at + pause + speech > DURATION:
            break
        spans.append(Span(at + pause, at + pause + speech))
        at += pause + speech
    return tuple(spans)


def windows_of(spans: tuple[Span, ...]) -> tuple[Window, ...]:
    return plan(spans, np.random.default_rng(3).random(len(CALL) // FRAME + 1).astype(np.float32), DURATION)


calls = st.lists(st.tuples(st.floats(0.31, 10), st.floats(0.2, 50)), max_size=20).map(spans_of)


@given(calls)
@settings(max_examples=50, deadline=None)
def test_every_span_is_in_a_window_none_twice_and_no_window_is_too_long(spans: tuple[Span, ...]) -> None:
    windows = windows_of(spans)
    pieces = [piece for window in windows for piece in window.pieces]
    assert all(before.end <= after.start for before, after in pairwise(pieces))
    assert all(window.samples <= WINDOW for window in windows)
    covered = np.zeros(len(CALL), dtype=bool)
    for piece in pieces:
        covered[piece.start : piece.end] = True
    assert all(covered[round(span.start * RATE) : round(span.end * RATE)].all() for span in spans)


@given(calls)
@settings(max_examples=20, deadline=None)
def test_the_cutter_finds_the_samples_of_each_window_in_passing_blocks(spans: tuple[Span, ...]) -> None:
    windows = windows_of(spans)
    cutter = Cutter(windows)
    cut = [found for at in range(0, len(CALL), BLOCK) for found in cutter.feed(CALL[at : at + BLOCK])] + list(cutter.rest())
    assert [window for window, _ in cut] == list(windows)
    for window, samples in cut:
        for piece in window.pieces:
            assert samples[piece.at] == piece.start
            assert samples[piece.at + piece.end - piece.start - 1] == piece.end - 1


def test_short_remarks_share_a_window() -> None:
    assert len(windows_of(spans_of([(5.0, 1.0)] * 8))) == 1


def test_nothing_said_needs_no_window() -> None:
    assert windows_of(()) == ()


def test_what_comes_after_a_moment_keeps_its_place_in_the_call() -> None:
    (window,) = windows_of((Span(10.0, 12.0), Span(40.0, 42.0)))
    rest = window.after(window.pieces[1].at + RATE)
    assert [(piece.start, piece.end, piece.at) for piece in rest.pieces] == [(window.pieces[1].start + RATE, window.pieces[1].end, 0)]
