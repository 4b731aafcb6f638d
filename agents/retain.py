"""What grows old: each tenant's events past its retention; and what a crash may have left of the views (docs/voc-storage.md)."""

from __future__ import annotations

from voc_stream.kit import App, Kit
from voc_stream.runtime.leading import leading
from voc_stream.services.retention import DailyRetention

EVERY_SECONDS = 3600.0


def attach(app: App, kit: Kit) -> None:
    """Add the leader's loop; what was done today is not done again."""
    daily = DailyRetention(kit.warehouse, kit.db, kit.vault, lambda: kit.tenants.current().retention)
    # A lambda: Faust hands the app to whatever has parameters, and a partial has.
    app.task(lambda: leading(app, kit.around.gates, EVERY_SECONDS, daily.turn, "clickhouse", "postgres"))
