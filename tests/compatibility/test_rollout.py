"""A worker of the release before beside one of this one, on topics, tables and databases that this one migrated: out and back."""

from __future__ import annotations

from collections import Counter

from tests.compatibility.rollout import Rollout


async def test_a_rollout_and_its_way_back_lose_nothing_and_double_nothing(rollout: Rollout) -> None:
    first = await rollout.old()
    await rollout.send()
    await rollout.until_all_arrived("the old one, on the schema of the new")

    second = await rollout.new()
    await rollout.send()
    await rollout.until_all_arrived("both")
    await rollout.send()
    await rollout.stop(first)
    await rollout.until_all_arrived("the new one alone, with what the old one left")

    third = await rollout.new()  # in the folder of the first: tables that the old release wrote
    await rollout.send()
    await rollout.stop(second)
    await rollout.until_all_arrived("the new one on tables of the old")

    await rollout.send()
    back = await rollout.old()  # in the folder of the second: tables that the new release wrote
    await rollout.send()
    await rollout.stop(third)
    await rollout.send()
    await rollout.until_all_arrived("back to the old one")
    await rollout.stop(back)

    assert await rollout.stored() == Counter(rollout.events), "each event once"
    assert await rollout.problems() == []
