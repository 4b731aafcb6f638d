"""What nobody will finish: parts of uploads that a kill left behind (spec section 2.4)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from voc_stream.errors import OutsideError
from voc_stream.kit import App, Kit
from voc_stream.logs import get_logger

logger = get_logger(__name__)

EVERY_SECONDS = 600.0
# An upload is abandoned when nothing was added for so long; a live one adds a part within S3's and the recorder's time-outs.
ABANDONED_AFTER = timedelta(hours=1)


def attach(app: App, kit: Kit) -> None:
    """Add the leader's loop."""

    @app.task
    async def abort_orphans() -> None:
        """Free the parts of uploads that a kill left open."""
        while not app.should_stop:
            if app.is_leader() and kit.around.gates["s3"].is_open:
                try:
                    aborted = await kit.objects.abort_orphans(ABANDONED_AFTER)
                except OutsideError as error:
                    logger.warning("abandoned uploads could not be looked for", reason=str(error))
                else:
                    if aborted:
                        logger.info("abandoned uploads aborted", uploads=aborted)
            await asyncio.sleep(EVERY_SECONDS if app.is_leader() else 5.0)
