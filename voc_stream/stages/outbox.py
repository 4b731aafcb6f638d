"""What is to be told of alerts, and when it is tried again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal

from voc_stream.stages.retry import RetryPolicy

Channel = Literal["topic", "webhook"]

# 5 s, 10 s, ... up to an hour: a receiver that is down for a night is told in the morning, without end. `attempts` bounds nothing here.
PACE = RetryPolicy(attempts=0, base=5.0, jitter=0.5, cap=3600.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the outbox that this replica has in hand.

    Attributes:
        key: the idempotency key, the same at every attempt.
        body: the JSON of the `AlertEvent`, sent as it is.
        attempt: counted from 1, this one included.
    """

    key: uuid.UUID
    tenant_id: str
    state: str
    body: bytes
    attempt: int
