"""The spans of what is being worked on: steps, log lines, requests, and nothing at all where nothing is traced."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from tests.unit.tracing.spans import FakeSpan
from voc_stream.logs import add_trace_id
from voc_stream.tracing.current import MOST_AT_ONCE, carried, current_trace_id, nobody, step, told_as, within


@told_as("the step")
async def act(result: int = 7) -> int:
    await asyncio.sleep(0)
    if result < 0:
        raise ValueError("it holds what a person said")
    return result


async def test_without_a_span_nothing_happens_and_the_coroutine_is_the_function_s_own() -> None:
    coroutine = act()
    assert inspect.iscoroutine(coroutine)
    assert coroutine.__qualname__ == "act"
    assert await coroutine == 7
    with step("another"), within([None]):
        assert current_trace_id() is None
        assert carried() == {}
        assert await act(8) == 8


async def test_a_step_is_a_child_of_each_span_that_is_worked_on_and_ends() -> None:
    one, other = FakeSpan("one"), FakeSpan("other", "3" * 32)
    with within([one, None, other]):
        assert await act() == 7
    assert [(child.name, child.open, child.failed) for span in (one, other) for child in span.children] == [("the step", False, None)] * 2


async def test_steps_within_a_step_are_its_children() -> None:
    span = FakeSpan("one")
    with within([span]), step("outer"):
        await act()
    assert [child.name for child in span.children] == ["outer"]
    assert [child.name for child in span.children[0].children] == ["the step"]


async def test_a_step_that_fails_tells_the_error_s_type_and_none_of_its_words() -> None:
    span = FakeSpan("one")
    with within([span]), pytest.raises(ValueError, match="person"):
        await act(-1)
    (child,) = span.children
    assert (child.failed, child.told, child.open) == ("ValueError", {}, False)


async def test_of_very_many_calls_a_few_have_their_steps_told() -> None:
    spans = [FakeSpan(str(number)) for number in range(100)]
    with within(spans):
        await act()
    assert sum(len(span.children) for span in spans) == MOST_AT_ONCE


async def test_a_log_line_carries_the_trace_of_what_is_worked_on() -> None:
    span = FakeSpan("one")
    with within([span]):
        assert add_trace_id(None, "info", {"event": "it happened"}) == {"event": "it happened", "trace_id": "1" * 32}
        assert add_trace_id(None, "info", {"event": "it happened", "trace_id": "known"})["trace_id"] == "known"
        span.end()
        assert add_trace_id(None, "info", {"event": "later"}) == {"event": "later"}
    with within([FakeSpan("one"), FakeSpan("other", "3" * 32)]):
        assert add_trace_id(None, "info", {"event": "of which?"}) == {"event": "of which?"}


async def test_a_request_carries_the_trace_of_the_one_call_that_it_is_about() -> None:
    with within([FakeSpan("one")]):
        assert carried() == {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
    with within([FakeSpan("one"), FakeSpan("other", "3" * 32)]):
        assert carried() == {}


async def test_a_task_that_works_for_several_is_in_nobody_s_trace() -> None:
    async def trace() -> str | None:
        await asyncio.sleep(0)
        return current_trace_id()

    with within([FakeSpan("one")]):
        inherits = asyncio.create_task(trace())
        does_not = asyncio.create_task(trace(), context=nobody())
        assert (await inherits, await does_not) == ("1" * 32, None)
