"""The people's side, a process of its own beside the worker (docs/web.md)."""

from __future__ import annotations

from voc_stream.kit import App, Kit
from voc_stream.services.people_side import PeopleSide


def attach(app: App, kit: Kit) -> None:
    """Start it with the worker and end it with the worker, unless WEB_ENABLED is false."""
    if not kit.settings.web_enabled:
        return
    people_side = PeopleSide(lambda: int(app.conf.web_port))
    app.at_start.append(people_side.run)
    app.at_stop.append(people_side.stop)
