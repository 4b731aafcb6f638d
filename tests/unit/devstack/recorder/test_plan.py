"""Which calls come, decided by a seed."""

from collections import Counter
from collections.abc import Iterable
from itertools import islice

import pytest

from voc_stream.devstack.recorder.arrivals import planned_calls
from voc_stream.devstack.recorder.dialogues import Dialogue, fill, load
from voc_stream.devstack.recorder.kinds import KINDS
from voc_stream.devstack.recorder.plan import MIXES, Mix, PlannedCall
from voc_stream.devstack.recorder.studio import Script


def dialogues(calls: Iterable[PlannedCall]) -> list[Dialogue]:
    sources = [segment.source for call in calls for segment in call.segments]
    return [load()[source.dialogue] for source in sources if isinstance(source, Script) and source.dialogue]


def words(call: PlannedCall) -> list[str]:
    said = []
    for segment in call.segments:
        assert isinstance(segment.source, Script)
        if segment.source.dialogue:
            turns = load()[segment.source.dialogue].segments[segment.source.segment].turns
            said += [turn.text for turn in fill(turns, segment.source.variant, segment.source.segment)]
    return said


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 11, 12, 13, 40])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_plan_has_exactly_as_many_segments_as_asked_for(mix: Mix, count: int, seed: int) -> None:
    assert sum(len(call.segments) for call in planned_calls(mix, seed, count)) == count


@pytest.mark.parametrize("mix", MIXES)
def test_the_same_seed_plans_the_same_calls_and_another_seed_others(mix: Mix) -> None:
    first, again, other = (list(planned_calls(mix, seed, 30)) for seed in (7, 7, 8))

    assert first == again
    assert [words(call) for call in first] == [words(call) for call in again]
    assert first != other


@pytest.mark.parametrize("seed", range(20))
def test_the_default_dozen_shows_what_the_pipeline_must_cope_with(seed: int) -> None:
    calls = list(planned_calls("default", seed, 12))
    kinds = Counter(call.kind for call in calls)

    assert kinds["stereo"] == 3
    assert all(kinds[kind] == 1 for kind in ("mono", "mulaw", "transfer", "silent", "text", "missing_first"))
    assert kinds["gsm"] + kinds["mp3"] == 1
    assert kinds["empty"] + kinds["truncated"] == 1
    spoken = dialogues(calls)
    assert len({dialogue.mood for dialogue in spoken}) >= 4
    assert {dialogue.good_agent for dialogue in spoken} == {True, False}


def test_a_plan_without_a_count_never_ends() -> None:
    assert len(list(islice(planned_calls("default", 0, None), 200))) == 200


def test_several_agents_and_tenants_take_part() -> None:
    calls = list(planned_calls("default", 0, 40))

    assert len({call.service for call in calls}) == 3
    assert len({segment.agent for call in calls for segment in call.segments}) >= 8


def test_bad_agents_are_not_the_good_ones_on_another_day() -> None:
    agents: dict[bool, set[str]] = {True: set(), False: set()}
    for call in planned_calls("plain", 0, 200):
        (dialogue,) = dialogues([call])
        agents[dialogue.good_agent].add(call.segments[0].agent)

    assert agents[True]
    assert agents[False]
    assert not agents[True] & agents[False]


def test_no_mix_holds_what_takes_hours_to_end() -> None:
    assert not {call.kind for call in planned_calls("every", 0, 100)} & {"two_hours", "missing"}
    assert {call.kind for call in planned_calls("every", 0, 100)} == KINDS.keys() - {"two_hours", "missing"}


def test_there_are_dialogues_of_many_sorts() -> None:
    written = load().values()

    assert {"billing", "delivery", "technical", "cancellation", "praise"} <= {dialogue.topic for dialogue in written}
    assert sum(not dialogue.good_agent for dialogue in written) >= 3
    assert {len(dialogue.segments) for dialogue in written} == {1, 2}


@pytest.mark.parametrize("dialogue", load().values(), ids=lambda dialogue: dialogue.name)
@pytest.mark.parametrize("variant", range(4))
def test_every_variant_of_a_dialogue_fills_all_gaps(dialogue: Dialogue, variant: int) -> None:
    for number, segment in enumerate(dialogue.segments):
        for turn in fill(segment.turns, variant, number):
            assert turn.text.strip()
            assert not {"{", "}"} & set(turn.text)
