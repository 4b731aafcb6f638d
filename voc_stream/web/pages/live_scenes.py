"""What is live on each page: figures that are replaced, and a count whose growth is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Literal, NamedTuple, TypeAlias

from voc_stream.clients.letter_rows import LetterFilter
from voc_stream.services.progress import Progress
from voc_stream.services.readings import Readings
from voc_stream.web.api.here import up_to_now
from voc_stream.web.texts import Texts

How: TypeAlias = Literal["number", "percent", "signed"]
# As many open alerts as are counted one by one.
_MOST_ALERTS = 100


class Figure(NamedTuple):
    """A number as a page shows it, with so many decimals."""

    value: float | None
    how: How = "number"
    decimals: int = 0

    def told(self, texts: Texts) -> str:
        """Return it as a reader writes it."""
        shown: str = getattr(texts, self.how)(self.value, self.decimals)
        return shown


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer.

    Attributes:
        figures: by the names that pages mark with `data-live`.
        came: of what a page lists, how many there are; what grows is offered as new.
    """

    figures: Mapping[str, Figure] = field(default_factory=dict)
    came: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What a page keeps asking, and its name among all questions."""

    key: Hashable
    ask: Callable[[], Awaitable[Seen]]


def overview(readings: Readings, tenant: str, days: int, zone: tzinfo) -> Scene:
    """Return the headline figures of a tenant's last days, as they are in a zone, and how many alerts are open."""

    async def ask() -> Seen:
        shown = (await readings.overview.of(tenant, up_to_now(days, zone))).now
        return Seen(
            {
                "calls": Figure(shown.calls),
                "scored_share": Figure(shown.scored_share, "percent"),
                "mean": Figure(shown.mean, decimals=1),
                "sentiment": Figure(shown.sentiment, "signed", 2),
                "complaints": Figure(shown.complaints),
                "on_time_share": Figure(shown.on_time_share, "percent"),
                **await _alerts(readings, tenant),
            }
        )

    return Scene(("overview", tenant, days, zone), ask)


def calls(readings: Readings, tenant: str) -> Scene:
    """Return how many calls there were today and yesterday: what it grows by is new."""

    async def ask() -> Seen:
        return Seen(came=(await readings.overview.of(tenant, up_to_now(2))).now.calls)

    return Scene(("calls", tenant), ask)


def alerts(readings: Readings, tenant: str) -> Scene:
    """Return how many alerts of a tenant are open."""

    async def ask() -> Seen:
        return Seen(await _alerts(readings, tenant))

    return Scene(("alerts", tenant), ask)


def letters(count: Callable[[LetterFilter], Awaitable[int]], tenant: str | None) -> Scene:
    """Return how many dead letters are open, of a tenant or of all, and how many there are."""

    async def ask() -> Seen:
        every = await count(LetterFilter(tenant_id=tenant))
        return Seen({"open": Figure(await count(LetterFilter(tenant_id=tenant, state="open")))}, every)

    return Scene(("letters", tenant), ask)


def pipeline(look: Callable[[], Awaitable[Progress]]) -> Scene:
    """Return lag and rate of each stage."""

    async def ask() -> Seen:
        figures: dict[str, Figure] = {}
        for stage in (await look()).stages:
            figures |= {f"lag-{stage.stage}": Figure(stage.lag), f"rate-{stage.stage}": Figure(stage.rate, decimals=1)}
        return Seen(figures)

    return Scene("pipeline", ask)


async def _alerts(readings: Readings, tenant: str) -> dict[str, Figure]:
    return {"alerts": Figure(len((await readings.alerts.page(tenant, state="raised", limit=_MOST_ALERTS)).alerts))}
