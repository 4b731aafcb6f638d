"""What could not pass: from the dead-letter topics into PostgreSQL, for 30 days (spec section 6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.kit import App, Kit
from voc_stream.logs import get_logger
from voc_stream.runtime.leading import leading
from voc_stream.services.dead_letters import letter_intake
from voc_stream.topics import DEAD_LETTER_SECONDS

logger = get_logger(__name__)

EVERY_SECONDS = 3600.0


def attach(app: App, kit: Kit) -> None:
    """Add the consumer, which has a group of its own (ADR 0016), and the leader's loop that deletes what is too old."""
    letters = DeadLetters(kit.db, kit.vault)
    gates = kit.around.gates

    @app.task
    async def store_dead_letters() -> None:
        """Store every dead letter; without a key for it there is none in PostgreSQL."""
        if not kit.settings.encryption_keys:
            logger.warning("dead letters stay in their topics: they are personal data, and PII_KEYS is not set")
            return
        await letter_intake(letters, gates["postgres"], kit.settings, lambda: app.should_stop).run()

    async def expire() -> int:
        return await letters.expire(datetime.now(UTC) - timedelta(seconds=DEAD_LETTER_SECONDS))

    app.task(lambda: leading(app, gates, EVERY_SECONDS, expire, "postgres"))
