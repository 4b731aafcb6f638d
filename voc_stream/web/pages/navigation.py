"""The ways between the pages, by what a caller may do."""

from __future__ import annotations

from dataclasses import dataclass

from voc_stream.web.texts import N_
from voc_stream.web.who import Caller


@dataclass(frozen=True, slots=True)
class Way:
    """A link of the navigation; `name` is a sentence for the catalogues, `icon` a symbol of icons.svg."""

    path: str
    name: str
    icon: str

    def leads_to(self, path: str) -> bool:
        """Whether a path is this page or one below it."""
        return path == self.path or (self.path != "/" and path.startswith(f"{self.path}/"))


@dataclass(frozen=True, slots=True)
class Ways:
    """Links that belong together."""

    name: str
    scope: str
    ways: tuple[Way, ...]


ALL = (
    Ways(
        N_("Quality"),
        "read",
        (
            Way("/", N_("Overview"), "overview"),
            Way("/desk/calls", N_("Calls"), "calls"),
            Way("/desk/agents", N_("Agents"), "agents"),
            Way("/desk/topics", N_("Topics"), "topics"),
            Way("/desk/alerts", N_("Alerts"), "alerts"),
        ),
    ),
    Ways(
        N_("Operation"),
        "operate",
        (
            Way("/desk/pipeline", N_("Pipeline"), "pipeline"),
            Way("/desk/letters", N_("Dead letters"), "letters"),
            Way("/desk/pausing", N_("Pauses"), "pausing"),
            Way("/desk/ledger", N_("Completeness"), "ledger"),
        ),
    ),
    Ways(N_("Administration"), "admin", (Way("/desk/access", N_("Access"), "access"),)),
)


def ways_of(caller: Caller | None) -> tuple[Ways, ...]:
    """Return what a caller may go to; nothing for nobody."""
    return () if caller is None else tuple(ways for ways in ALL if caller.may(ways.scope))
