"""The completeness ledger, by the leader, of each hour once it is closed (docs/completeness.md)."""

from __future__ import annotations

import asyncio

from voc_stream.errors import OutsideError
from voc_stream.kit import App, Kit
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.leading import leading
from voc_stream.services.reconcile import Places, Reconciler

logger = get_logger(__name__)

LOOK_SECONDS = 60.0
# What failed is not asked again at once: those who need the server find out by themselves whether it is well.
RETRY_SECONDS = 600.0


def attach(app: App, kit: Kit) -> None:
    """Add the leader's loop."""
    places = Places(recorder=kit.recorder, checkpoints=kit.calls, objects=kit.objects, warehouse=kit.warehouse, db=kit.db, tenants=kit.tenants)
    reconciler = Reconciler(places, kit.settings)

    async def turn() -> int:
        try:
            return await reconciler.turn()
        except OutsideError as error:
            metrics.COMPLETENESS_FAILED.inc()
            logger.warning("closed hours could not be examined", dependency=error.dependency, reason=error.reason)
            await asyncio.sleep(RETRY_SECONDS)
            return 0

    if kit.settings.reconcile_hours:
        app.task(lambda: leading(app, kit.around.gates, LOOK_SECONDS, turn, "recorder", "kafka", "postgres", "s3", "clickhouse"))
