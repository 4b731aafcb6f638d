"""Means of few and of many, so that they can be compared: what is known of an agent after three calls is little, and must look so (ADR 25).

Agents' scores scatter alike around means that differ. So how an agent's own scores scatter is learned from all of them (a pooled variance), and each
mean is drawn towards that of all, the more the fewer calls it is made of (a random-effects model; the variance between agents by DerSimonian and
Laird, 1986).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

# Of the normal distribution: 95 %.
_Z = 1.959964
# Points²: where agents differ less than this, chance may have hidden it.
_LEAST_BETWEEN = 1.0
# Points²: what scores usually scatter; it counts as so many scores more, so that two calls that happen to be alike prove nothing.
_USUAL_WITHIN = 225.0
_USUAL_COUNT = 4
_TOP = 100.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one agent.

    Attributes:
        count: how many; may be 0.
        mean: of them, 0 to 100; 0 for none.
        variance: of the sample; 0 for fewer than two.
    """

    count: int
    mean: float
    variance: float


NO_SCORES = Scores(0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an agent's true mean, with 95 %.

    Attributes:
        low: with `high`: by the agent's scores alone.
        high: see `low`.
        estimate: by the scores and by what agents are like.
        estimate_low: with `estimate_high`: likewise.
        estimate_high: see `estimate_low`.
        certain: whether it differs from the mean of all.
    """

    low: float
    high: float
    estimate: float
    estimate_low: float
    estimate_high: float
    certain: bool


@dataclass(frozen=True, slots=True)
class Field:
    """What agents are like.

    Attributes:
        mean: of all scores; None where there are none.
        within: variance of one agent's scores around the agent's mean.
        between: variance of the agents' true means.
        quantile: of Student's t, 97.5 %, for as many scores as `within` is made of.
    """

    mean: float | None
    within: float
    between: float
    quantile: float

    @classmethod
    def of(cls, agents: Sequence[Scores]) -> Field:
        """Learn it from all agents."""
        scored = [agent for agent in agents if agent.count]
        freedom = sum(agent.count - 1 for agent in scored) + _USUAL_COUNT
        within = (sum((agent.count - 1) * agent.variance for agent in scored) + _USUAL_COUNT * _USUAL_WITHIN) / freedom
        total = sum(agent.count for agent in scored)
        mean = sum(agent.count * agent.mean for agent in scored) / total if total else None
        return cls(mean, within, _between(scored, within, mean or 0.0), _student(freedom))

    def standing(self, scores: Scores) -> Standing | None:
        """Return what is known of an agent; None without a score."""
        if not scores.count or self.mean is None:
            return None
        error = self.quantile * sqrt(self.within / scores.count)
        known, usual = scores.count / self.within, 1 / self.between
        estimate = (known * scores.mean + usual * self.mean) / (known + usual)
        doubt = self.quantile / sqrt(known + usual)
        return Standing(
            *_bounded(scores.mean, error), estimate, *_bounded(estimate, doubt), certain=not estimate - doubt <= self.mean <= estimate + doubt
        )

    def is_change(self, now: Scores, before: Scores) -> bool:
        """Whether two means of an agent differ by more than chance would do in 19 of 20 cases."""
        if not now.count or not before.count:
            return False
        return abs(now.mean - before.mean) > self.quantile * sqrt(self.within / now.count + self.within / before.count)


def ranks(estimates: Mapping[str, float]) -> dict[str, int]:
    """Return each agent's rank from 1, the highest estimate first; of equal ones by name."""
    ordered = sorted(estimates, key=lambda agent: (-estimates[agent], agent))
    return {agent: rank for rank, agent in enumerate(ordered, start=1)}


def _between(agents: Sequence[Scores], within: float, mean: float) -> float:
    weights = [agent.count / within for agent in agents]
    total = sum(weights)
    room = total - sum(weight**2 for weight in weights) / total if total else 0.0
    if room <= 0:
        return max(_LEAST_BETWEEN, within)
    spread = sum(weight * (agent.mean - mean) ** 2 for weight, agent in zip(weights, agents, strict=True))
    return max(_LEAST_BETWEEN, (spread - (len(agents) - 1)) / room)


def _student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t (Abramowitz and Stegun 26.7.5, two terms), which from 4 on is right to 1 %."""
    return _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)


def _bounded(middle: float, error: float) -> tuple[float, float]:
    return max(0.0, middle - error), min(_TOP, middle + error)
