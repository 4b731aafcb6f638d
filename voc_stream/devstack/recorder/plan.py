"""Which calls are made: decided by a seed alone, so that a run can be repeated."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from voc_stream.devstack.recorder.calls import Style
from voc_stream.devstack.recorder.dialogues import VARIANTS, Dialogue, load
from voc_stream.devstack.recorder.kinds import KINDS, Kind
from voc_stream.devstack.recorder.recording import Recording
from voc_stream.devstack.recorder.studio import Script

Mix = Literal["default", "plain", "every"]
MIXES: tuple[Mix, ...] = get_args(Mix)

# The services of three made-up tenants, each with its agents: the good ones first, then those who have something to learn.
SERVICES: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "acme-support": (("4601 (agent1201.247)", "4602 (agent1202.247)"), ("4603 (agent1234.247)", "4604 (agent1204.247)")),
    "globex-care": (("4711 (agent1311.247)", "4712 (agent1312.247)"), ("4713 (agent1313.247)", "4714 (agent1314.247)")),
    "initech-helpdesk": (("4821 (agent1421.247)", "4822 (agent1422.247)"), ("4823 (agent1423.247)", "4824 (agent1424.247)")),
}

# Twelve segments that show what the pipeline must cope with; a transfer is two of them. The first ones come first when fewer are asked for.
_OPENING = ("stereo", "stereo", "stereo", "mono", "mulaw", "transfer", "silent", "text", "gsm|mp3", "empty|truncated", "missing_first")
_AFTERWARDS = (
    *("stereo",) * 10,
    *("mono", "mono", "mulaw", "alaw", "pcm8", "gsm", "mp3", "opus", "transfer", "hold", "late"),
    *("silent", "one_sided", "hold_music", "noise", "short", "truncated"),
)
_NEVER_IN_A_MIX = {"two_hours", "missing"}  # the one takes minutes to score, the other a day to end


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """What one inum will hold. `gap` is the seconds since the segment before."""

    source: Script | Recording
    agent: str
    skill: str
    gap: int = 0


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call yet to be made: of one segment, or of several that share a switchcallid."""

    kind: str
    expected: str
    segments: tuple[PlannedSegment, ...]
    service: str
    other_party: str
    udfs: str
    style: Style
    late: float = 0.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a caller of the control API may fix; None leaves it to the seed."""

    dialogue: str | None = None
    variant: int | None = None
    format: str | None = None
    channels: int | None = None
    seconds: float | None = None
    service: str | None = None
    skill: str | None = None
    agent: str | None = None
    late: float | None = None
    style: Style | None = None


@dataclass(slots=True)
class Planner:
    """Turns kinds into calls. The same seed and the same kinds in the same order give the same calls."""

    seed: int
    _chance: random.Random = field(init=False)
    _dialogues: dict[bool, list[str]] = field(init=False)
    _dialogues_chosen: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._dialogues = {True: [], False: []}

    def call(self, kind: str, wishes: Wishes | None = None) -> PlannedCall:
        """Plan a call of a kind.

        Raises:
            KeyError: no such kind, dialogue or service.
        """
        wishes = wishes or Wishes()
        what = KINDS[kind]
        dialogue = self._dialogue(what, wishes)
        variant = self._chance.randrange(VARIANTS) if wishes.variant is None else wishes.variant % VARIANTS
        service = wishes.service or self._chance.choice(list(SERVICES))
        agents = self._agents(service, good=dialogue is None or dialogue.good_agent)
        return PlannedCall(
            kind=kind,
            expected=what.expected,
            segments=self._segments(what, wishes, dialogue, variant, agents),
            service=service,
            other_party=f"+1415555{self._chance.randrange(100, 200):04d}",
            udfs=self._customer_data(),
            style=wishes.style or self._style(),
            late=what.late if wishes.late is None else wishes.late,
        )

    def replay_of(self, recording: Recording, expected: str) -> PlannedCall:
        """Plan a call whose recording is there already."""
        service = self._chance.choice(list(SERVICES))
        return PlannedCall(
            kind="file",
            expected=expected,
            segments=(PlannedSegment(recording, self._agents(service, good=True)[0], "care"),),
            service=service,
            other_party=f"+1415555{self._chance.randrange(100, 200):04d}",
            udfs=self._customer_data(),
            style=self._style(),
        )

    def _segments(self, kind: Kind, wishes: Wishes, dialogue: Dialogue | None, variant: int, agents: Sequence[str]) -> tuple[PlannedSegment, ...]:
        format_ = wishes.format or kind.format
        channels = wishes.channels or kind.channels
        seconds = wishes.seconds or kind.seconds
        if dialogue is None:
            skill = wishes.skill or "care"
            return (PlannedSegment(Script(kind.content, format_, channels, seconds, variant=variant), wishes.agent or agents[0], skill),)
        planned = []
        speaker = 0
        for number, segment in enumerate(dialogue.segments):
            speaker += segment.new_agent
            script = Script(kind.content, format_, channels, seconds, dialogue.name, number, variant)
            planned.append(PlannedSegment(script, wishes.agent or agents[speaker % len(agents)], wishes.skill or segment.skill, segment.gap))
        return tuple(planned)

    def _dialogue(self, kind: Kind, wishes: Wishes) -> Dialogue | None:
        if kind.content not in {"dialogue", "one_sided", "truncated", "repeated"}:
            return None
        if wishes.dialogue is not None:
            return load()[wishes.dialogue]
        if kind.dialogues:
            return load()[self._chance.choice(kind.dialogues)]
        # Every third agent is a bad one; each dialogue comes once before any comes again.
        good = self._dialogues_chosen % 3 != 1
        self._dialogues_chosen += 1
        left = self._dialogues[good]
        if not left:
            taken = {name for each in KINDS.values() for name in each.dialogues}
            left.extend(name for name, each in load().items() if each.good_agent is good and name not in taken)
            self._chance.shuffle(left)
        return load()[left.pop()]

    def _agents(self, service: str, *, good: bool) -> list[str]:
        pool = list(SERVICES.get(service, SERVICES["acme-support"])[0 if good else 1])
        self._chance.shuffle(pool)
        return pool

    def _customer_data(self) -> str:
        number = self._chance.randrange(1000, 10_000)
        born = f"{self._chance.randrange(1, 29):02d}/{self._chance.randrange(1, 13):02d}/{self._chance.randrange(1950, 2005)}"
        return f"name=Madeup Customer{number};card=4111111111111111;email=customer{number}@example.com;dob={born};account=TEST-{number}"

    def _style(self) -> Style:
        return Style(
            time=self._chance.choice(("iso", "iso_offset", "iso_z", "dmy")),
            duration=self._chance.choice(("seconds", "hms")),
            end=self._chance.choice(("both", "endedat", "duration")),
            case=self._chance.choice(("lower", "camel", "upper")),
        )


def segments_of(kind: str) -> int:
    """How many inums a call of a kind takes."""
    dialogues = KINDS[kind].dialogues
    return len(load()[dialogues[0]].segments) if dialogues else 1


def kinds_of(mix: Mix, seed: int, count: int | None) -> Iterator[str]:
    """The kinds of a mix in their order, for exactly `count` segments; without end if it is None.

    Args:
        mix: `default` (all that a demonstration should show within its first twelve segments), `plain` (two-channel PCM that can be scored) or
            `every` (each kind in turn that ends within minutes).
        seed: of the order.
        count: segments, not calls: a transfer counts as two.
    """
    chance = random.Random(seed)
    left = count
    for kind in _endless(mix, chance, shuffled=count is None or count >= len(_OPENING) + 1):
        if left is None:
            yield kind
            continue
        if left == 0:
            return
        fitting = kind if segments_of(kind) <= left else "stereo"
        left -= segments_of(fitting)
        yield fitting


def _endless(mix: Mix, chance: random.Random, *, shuffled: bool) -> Iterator[str]:
    if mix == "default":
        opening = [chance.choice(entry.split("|")) for entry in _OPENING]
        if shuffled:
            chance.shuffle(opening)
        yield from opening
    every = [kind for kind in KINDS if kind not in _NEVER_IN_A_MIX]
    while True:
        match mix:
            case "default":
                yield chance.choice(_AFTERWARDS)
            case "plain":
                yield "stereo"
            case "every":
                yield from every
