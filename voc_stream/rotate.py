"""`faust -A voc_stream rotate-keys`: everything sealed or wrapped by PII_KEY_ID, while the workers run (docs/privacy.md)."""

from __future__ import annotations

from collections.abc import Callable

import click

from voc_stream.clients.postgres import Database
from voc_stream.security.vault import Vault
from voc_stream.services.rotation import Rotation
from voc_stream.settings import Settings

Echo = Callable[[str], None]

OPTIONS = (click.option("--batch", type=click.IntRange(1, 10_000), default=500, show_default=True, help="Rows of one transaction."),)


async def rotate(settings: Settings, echo: Echo, *, batch: int) -> int:
    """Wrap and seal anew whatever another key of PII_KEYS wraps or seals; interrupted, it is run again.

    Args:
        settings: POSTGRES_DSN, PII_KEYS, PII_KEY_ID.
        echo: takes each line of the report.
        batch: rows of one transaction.

    Returns:
        0; 1 where something is left because others held it; 2 without keys.

    Raises:
        OutsideError: PostgreSQL failed, or a key that something needs is not among PII_KEYS; what was done stays.
    """
    if not settings.encryption_keys:
        echo("PII_KEYS is not set: there is nothing to rotate")
        return 2
    db = Database(settings)
    try:
        rotation = Rotation(db, Vault(settings.encryption_keys, settings.pii_key_id), batch)
        before = await rotation.left()
        await rotation.run(lambda what, done, total: echo(f"{what}: {done} of {total}"))
        left = await rotation.left()
    finally:
        await db.close()
    if not left.total:
        others = [key_id for key_id in list(settings.encryption_keys)[1:] if key_id != settings.pii_key_id]
        droppable = ", ".join(others) or "none"
        echo(f"all by {settings.pii_key_id} now; once Kafka's records of today are gone (7 days), PII_KEYS may lose: {droppable}")
        echo("the first key of PII_KEYS stays: it makes the pseudonyms")
    echo(f"rotate-keys: keys={before.keys} rows={before.rows} letters={before.letters} left={left.total}")
    return 1 if left.total else 0
