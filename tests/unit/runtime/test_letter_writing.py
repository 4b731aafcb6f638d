"""A dead letter is written before anything goes on; what its topic refuses holds up its stage alone (fault 10)."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.unit.runtime.world import Dependency
from voc_stream.errors import OutageError, OutsideError, RejectedError
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.letter_writing import LONGEST_WAIT_SECONDS, write_letters
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.pauses import Pauses

LETTER = Outgoing("audio.ready.dlq", b"k", b"v")


class Scene:
    def __init__(self) -> None:
        self.faults: deque[OutsideError] = deque()
        self.sent: list[Outgoing] = []
        self.kafka = Dependency()
        self.gate = Gate("kafka", self.kafka.probe)
        self.pauses = Pauses()
        self.waited: list[tuple[float, list[str]]] = []

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        if self.faults:
            raise self.faults.popleft()
        self.sent += records
        return [0] * len(records)

    async def wait(self, seconds: float) -> None:
        self.waited.append((seconds, self.pauses.closed()))

    async def write(self) -> None:
        await write_letters(self, [LETTER], stage="score", kafka=self.gate, pauses=self.pauses, wait=self.wait)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    yield made
    await made.gate.stop()


async def test_it_is_tried_until_its_topic_takes_it_and_the_stage_says_why_it_waits(scene: Scene) -> None:
    scene.faults.extend(OutageError("kafka", "UnknownTopicOrPartitionError") for _ in range(8))
    await scene.write()
    assert scene.sent == [LETTER]
    assert [seconds for seconds, _ in scene.waited] == [1, 2, 4, 8, 16, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS]
    assert scene.waited[0][1] == ["score: its dead letters cannot be written: audio.ready.dlq: UnknownTopicOrPartitionError"]
    assert scene.pauses.closed() == []
    assert scene.gate.is_open, "the other stages go on"


async def test_one_that_fits_nowhere_even_when_it_is_cut_is_waited_for(scene: Scene) -> None:
    scene.faults.extend([RejectedError("kafka", "larger than Kafka takes")] * 2)
    await scene.write()
    assert len(scene.waited) == 1
    assert scene.sent == [LETTER]


async def test_while_kafka_itself_is_down_its_gate_is_waited_for_by_the_caller(scene: Scene) -> None:
    scene.kafka.error = OutageError("kafka", "no broker")
    scene.faults.append(OutageError("kafka", "records were not acknowledged in time"))
    with pytest.raises(OutageError, match="no broker"):
        await scene.write()
    assert (scene.waited, scene.pauses.closed()) == ([], [])
