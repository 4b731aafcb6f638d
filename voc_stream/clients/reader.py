"""Connections for those who read: nothing is written by mistake, nothing takes long, and plans fit the question's own values.

All that is said once, when a connection is made, so that a single statement is a single round trip.
"""

from __future__ import annotations

from voc_stream.clients.postgres import Database
from voc_stream.settings import Settings


def timed(seconds: float) -> dict[str, str]:
    """Return the session's setting by which the server itself ends a statement after so long, also where nobody waits for it any more."""
    return {"statement_timeout": str(round(seconds * 1000))}


def reader(settings: Settings, *, seconds: float) -> Database:
    """Return a pool whose connections can only read, and whose transactions see one moment.

    Args:
        settings: as of any `Database`.
        seconds: that a statement may take.
    """
    # A plan for any value would serve a tenant of a million calls as it serves one of ten. JIT costs more than these statements.
    plans = {"plan_cache_mode": "force_custom_plan", "jit": "off"}
    return Database(settings, {**timed(seconds), **plans, "default_transaction_read_only": "on", "default_transaction_isolation": "repeatable read"})
