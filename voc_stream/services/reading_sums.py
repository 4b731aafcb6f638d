"""What readers are told of days, agents and topics, in sums and means (docs/api.md); units as in `reading_answers`."""

from __future__ import annotations

from datetime import date

from voc_stream.services.reading_answers import Answer


class AgentShown(Answer):
    """How an agent's calls were scored, and how sure that is."""

    rank: int | None
    """By `estimate`, from 1; None without a score."""
    agent_id: str
    agent_name: str | None = None
    calls: int
    scored: int
    mean: float | None
    """Of the scores."""
    low: float | None
    """With `high`: where the agent's true mean lies with 95 %, by these calls alone."""
    high: float | None
    estimate: float | None
    """The mean, drawn towards that of all agents: the fewer calls, the more."""
    estimate_low: float | None
    """With `estimate_high`: where the true mean lies with 95 %, by these calls and what agents are like."""
    estimate_high: float | None
    certain: bool
    """Whether the agent differs from the mean of all with 95 %."""
    sentiment: float | None
    complaints: int
    before_scored: int
    before_mean: float | None
    change: float | None
    """Of the mean against the time before."""
    change_certain: bool
    """Whether that is more than chance would do in 19 of 20 cases."""


class Agents(Answer):
    """All agents of a tenant, the best estimate first."""

    days: int
    first: date
    last: date
    mean: float | None
    """Of all scores."""
    agents: list[AgentShown]


class AgentDay(Answer):
    """A day of an agent."""

    day: date
    calls: int
    scored: int
    mean: float | None
    sentiment: float | None


class AgentReport(Answer):
    """One agent among the others, and by day."""

    days: int
    first: date
    last: date
    mean: float | None
    """Of all agents' scores."""
    among: int
    """Agents with a score."""
    agent: AgentShown
    by_day: list[AgentDay]


class TopicShown(Answer):
    """The calls about one topic."""

    topic: str | None
    """None: not known."""
    calls: int
    share: float
    mean: float | None
    """Of the scores."""
    sentiment: float | None
    before_calls: int
    change: float | None
    """Of the calls against the time before: 0.1 is a tenth more; None where there were none."""


class Topics(Answer):
    """What a tenant's calls were about, the most frequent first."""

    days: int
    first: date
    last: date
    calls: int
    topics: list[TopicShown]


class Totals(Answer):
    """Calls of a time."""

    calls: int
    scored: int
    not_scorable: int
    failed: int
    """ERROR or MISSING."""
    scored_share: float | None
    mean: float | None
    """Of the scores."""
    sentiment: float | None
    complaints: int
    on_time: int
    """With a result within two minutes of their end."""
    on_time_share: float | None
    """Of those with a result."""


class DayTotals(Totals):
    """Calls that started on a day."""

    day: date


class Overview(Answer):
    """A tenant's calls, by day and against as many days before."""

    days: int
    first: date
    last: date
    now: Totals
    before: Totals
    by_day: list[DayTotals]
    """Each day of the time, oldest first."""
