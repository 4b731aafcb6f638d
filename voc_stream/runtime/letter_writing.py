"""Writing dead letters until their topic takes them: nothing is acknowledged before, and nobody else waits for it (spec section 6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from voc_stream.errors import OutageError, RejectedError
from voc_stream.runtime.dead_letter import publish_letters
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.pauses import Pauses
from voc_stream.runtime.stage import Publishes

LONGEST_WAIT_SECONDS = 30.0


async def write_letters(
    publisher: Publishes,
    letters: Sequence[Outgoing],
    *,
    stage: str,
    kafka: Gate,
    pauses: Pauses,
    wait: Callable[[float], Awaitable[None]],
) -> None:
    """Publish dead letters of one topic. While Kafka is well and they are not taken (the topic is gone, an ACL, its size) only their stage waits.

    Args:
        publisher: sends them.
        letters: of the same dead-letter topic.
        stage: whose they are.
        kafka: the gate; asked whether Kafka itself is down.
        pauses: told that the stage waits, and why.
        wait: waits some seconds; a stop may end it.

    Raises:
        OutsideError: Kafka is down.
    """
    seconds = 1.0
    while True:
        try:
            await publish_letters(publisher, letters)
        except (OutageError, RejectedError) as error:
            if (down := await kafka.is_down()) is not None:
                raise down from error
            pauses.refuse(stage, f"{letters[0].topic}: {error.reason}")
            await wait(seconds)
            seconds = min(2 * seconds, LONGEST_WAIT_SECONDS)
        else:
            pauses.accepted(stage)
            return
