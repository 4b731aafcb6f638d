"""What an operator orders: a stage or a tenant stands still, or goes on (docs/pausing.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

# What can be paused.
StageName: TypeAlias = Literal["dedup", "enrich", "download", "score", "export", "voc"]
# In place of a stage: every one. In place of a tenant: the stage as a whole.
EVERY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseOrder:
    """The newest order about a stage, or about a tenant in a stage or in all.

    Attributes:
        stage: its name, or EVERY.
        tenant_id: whose records, or EVERY: the stage as a whole.
        paused: whether they stand still; if not, they go on, also where a stage had paused itself.
        reason: the operator's own words.
        actor: who ordered it.
        changed_at: by PostgreSQL's clock.
    """

    stage: str
    tenant_id: str
    paused: bool
    reason: str
    actor: str
    changed_at: datetime

    @property
    def subject(self) -> str:
        """Return what it is about, in words."""
        if self.tenant_id == EVERY:
            return f"stage {self.stage}"
        return f"tenant {self.tenant_id}" if self.stage == EVERY else f"tenant {self.tenant_id} in stage {self.stage}"
