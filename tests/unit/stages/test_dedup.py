"""A duplicate is dropped, a redelivery is not one (spec section 2.2)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.stages.made import OUT, facts, raw_call
from voc_stream.stages.dedup import judge
from voc_stream.stages.outcome import Drop, Ok


def test_a_call_passes_once_and_its_duplicates_within_a_chunk_are_dropped() -> None:
    verdicts = judge([(raw_call("a"), facts(1)), (raw_call("a"), facts(2)), (raw_call("b"), facts(3))], {}, OUT)

    assert [type(outcome) for outcome in verdicts.outcomes] == [Ok, Drop, Ok]
    assert verdicts.first_seen == {"a": 1, "b": 3}


def test_a_duplicate_of_an_earlier_chunk_is_dropped() -> None:
    verdicts = judge([(raw_call("a"), facts(9))], {"a": 1}, OUT)

    assert verdicts.outcomes == (Drop("duplicate"),)
    assert verdicts.first_seen == {}


def test_a_redelivery_after_a_crash_passes_again() -> None:
    verdicts = judge([(raw_call("a"), facts(1)), (raw_call("a"), facts(2))], {"a": 1}, OUT)

    assert [type(outcome) for outcome in verdicts.outcomes] == [Ok, Drop]
    assert verdicts.first_seen == {}


def test_what_passes_goes_on_as_it_came_keyed_by_its_call() -> None:
    call = raw_call("a")
    (outcome,) = judge([(call, facts(1))], {}, OUT).outcomes

    assert isinstance(outcome, Ok)
    (publication,) = outcome.out
    assert (publication.topic, publication.key, publication.value) == (OUT, "a", call)


@given(
    ids=st.lists(st.sampled_from("abcd"), min_size=1, max_size=30),
    crashes=st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8), st.booleans()), max_size=10),
)
def test_whatever_is_delivered_again_each_call_s_first_record_passes_and_no_other(ids: list[str], crashes: list[tuple[int, int, bool]]) -> None:
    """Chunks of any size; a crash after the memory was written, before or after the output, goes back some records."""
    seen: dict[str, int] = {}
    passed: set[int] = set()
    position = 0
    plan = iter([*crashes, *[(len(ids), 0, True)] * (len(ids) + 1)])
    while position < len(ids):
        size, back, published = next(plan)
        chunk = range(position, min(position + size, len(ids)))
        verdicts = judge([(raw_call(ids[offset]), facts(offset)) for offset in chunk], seen, OUT)
        seen |= verdicts.first_seen
        if published:
            passed |= {offset for offset, outcome in zip(chunk, verdicts.outcomes, strict=True) if isinstance(outcome, Ok)}
            position = max(0, chunk.stop - back) if chunk.stop < len(ids) else chunk.stop

    assert passed == {ids.index(call_id) for call_id in set(ids)}
