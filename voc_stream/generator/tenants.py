"""The made-up tenants: each has its own agents, its own mix of topics, and hours at which its customers are in a worse mood."""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from voc_stream.generator.bank import Mood, bank

_AGENTS = 12
# What is broken today comes up so much more often, and what that is changes so many times a day.
_BREAKDOWN = 3.0
_BLOCKS = 4


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent; `gift` is by how much its customers are more often content."""

    agent_id: str
    gift: float


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant.

    Attributes:
        tenant_id: as in the events.
        agents: who works for it.
        sourness: the share of negative calls before agent and hour are counted in.
        worst_hour: of the day, UTC.
        topics: for each quarter of the day the accumulated weights of the topics.
    """

    tenant_id: str
    agents: Sequence[Agent]
    sourness: float
    worst_hour: float
    topics: Sequence[Sequence[float]]

    def topic(self, rng: random.Random, hour: int) -> str:
        """Return what a call at this hour is about."""
        weights = self.topics[hour * _BLOCKS // 24]
        return _TOPICS[bisect(weights, rng.random() * weights[-1])]

    def mood(self, rng: random.Random, agent: Agent, hour: int) -> Mood:
        """Return how a customer of this agent feels at this hour."""
        negative = self.sourness - agent.gift + 0.2 * math.cos((hour - self.worst_hour) * math.tau / 24)
        drawn = rng.random()
        if drawn < negative:
            return "negative"
        return "neutral" if drawn < negative + 0.3 else "positive"


def make_tenants(rng: random.Random, count: int) -> list[Tenant]:
    """Make so many tenants, `tenant-01` and on."""
    return [_tenant(rng, number) for number in range(1, count + 1)]


def _tenant(rng: random.Random, number: int) -> Tenant:
    common = [rng.uniform(0.2, 1.0) for _ in _TOPICS]
    days = [[weight * (_BREAKDOWN if (number + block) % len(_TOPICS) == at else 1) for at, weight in enumerate(common)] for block in range(_BLOCKS)]
    return Tenant(
        tenant_id=f"tenant-{number:02d}",
        agents=[Agent(f"agent{number:02d}{one:02d}", rng.uniform(-0.15, 0.15)) for one in range(1, _AGENTS + 1)],
        sourness=rng.uniform(0.15, 0.5),
        worst_hour=rng.uniform(0, 24),
        topics=[list(accumulate(weights)) for weights in days],
    )


_TOPICS = tuple(bank().topics)
