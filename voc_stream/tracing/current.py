"""The spans of what is being worked on. Where nothing is traced all of this does nothing, and nothing of OpenTelemetry is loaded."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Value: TypeAlias = str | int | float | bool | None
Attributes: TypeAlias = Mapping[str, Value]
Headers: TypeAlias = tuple[tuple[str, bytes], ...]

# What works on many calls at once shows its steps in so many traces; the other calls still have the span of their stage.
MOST_AT_ONCE = 16


class Span(Protocol):
    """A stretch of time in a trace that is recorded; what is not recorded has none."""

    @property
    def trace_id(self) -> str:
        """Its trace, 32 hex digits."""

    @property
    def open(self) -> bool:
        """Whether it has not ended."""

    @property
    def headers(self) -> Headers:
        """What carries it on: of a Kafka record or of an HTTP request."""

    def child(self, name: str) -> Span:
        """Begin a span within this one."""

    def tell(self, attributes: Attributes) -> None:
        """Add attributes; those without a value, and those of names that are not known to hold no personal data, are left out."""

    def note(self, name: str, attributes: Attributes) -> None:
        """Add a moment."""

    def fail(self, error_type: str) -> None:
        """Mark it as failed; of an error its type is told, never its words."""

    def end(self) -> None:
        """End it; a second time changes nothing."""


_current: ContextVar[tuple[Span, ...]] = ContextVar("voc_spans", default=())


@contextmanager
def within(spans: Iterable[Span | None]) -> Iterator[None]:
    """Let the steps of a block be told in these spans; None is a call that is not traced."""
    token = _current.set(tuple([span for span in spans if span is not None][:MOST_AT_ONCE]))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Tell a block as a step of what is being worked on."""
    parents = _current.get()
    if not parents:
        yield
        return
    spans = [parent.child(name) for parent in parents if parent.open]
    try:
        with within(spans):
            yield
    except BaseException as error:
        for span in spans:
            span.fail(type(error).__name__)
        raise
    finally:
        for span in spans:
            span.end()


def told_as(name: str) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Tell each call of a coroutine function as a step; where nothing is traced the coroutine is the function's own."""

    def decorate(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(function)
        def told(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
            coroutine = function(*args, **kwargs)
            return _as_step(name, coroutine) if _current.get() else coroutine

        return told

    return decorate


async def _as_step(name: str, coroutine: Coroutine[Any, Any, T]) -> T:
    with step(name):
        return await coroutine


def current_trace_id() -> str | None:
    """Return the trace of what is being worked on; None where that is not traced, or is of several traces."""
    ids = {span.trace_id for span in _current.get() if span.open}
    return ids.pop() if len(ids) == 1 else None


def carried() -> dict[str, str]:
    """Return the headers of an HTTP request that carry the trace of what is being worked on; none where it is not traced, or of several traces."""
    spans = [span for span in _current.get() if span.open]
    return {name: value.decode() for name, value in spans[0].headers} if len(spans) == 1 else {}


def nobody() -> Context:
    """Return the context of a task that works for several: it is none of theirs."""
    return Context()
