"""A span that remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

from voc_stream.tracing.current import Attributes, Headers, Value


@dataclass
class FakeSpan:
    """Records what it is told; its children too."""

    name: str
    trace_id: str = "1" * 32
    open: bool = True
    told: dict[str, Value] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failed: str | None = None
    children: list[FakeSpan] = field(default_factory=list)

    @property
    def headers(self) -> Headers:
        return (("traceparent", f"00-{self.trace_id}-{'2' * 16}-01".encode()),)

    def child(self, name: str) -> FakeSpan:
        self.children.append(FakeSpan(name, self.trace_id))
        return self.children[-1]

    def tell(self, attributes: Attributes) -> None:
        self.told |= attributes

    def note(self, name: str, attributes: Attributes) -> None:
        self.notes.append(name)
        self.told |= attributes

    def fail(self, error_type: str) -> None:
        self.failed = error_type

    def end(self) -> None:
        self.open = False
