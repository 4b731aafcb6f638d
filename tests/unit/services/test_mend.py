"""What cannot be done again is left with its reason, and what can goes where the gap is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from tests.calls import ENDED, NOW, STARTED, audio_ready, enriched_call
from tests.fakes.object_store import FakeObjectStore
from tests.fakes.recorder import FakeRecorder
from tests.unit.services.made import VAULT, FakePublisher, settings
from voc_stream.clients.recordings import Recordings
from voc_stream.events.base import Decoder
from voc_stream.events.calls import AudioReady, EnrichedCall, RawCall
from voc_stream.security.vault import on_the_wire
from voc_stream.services.mend import AT_ONCE, Mended, Mender, Tools
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.stages.completeness import Coordinates, Gap, Hop, Names, Remedy
from voc_stream.stages.outside import Segment


class Rows:
    """Stands for PostgreSQL's rows of calls."""

    def __init__(self) -> None:
        self.calls: dict[str, EnrichedCall] = {}
        self.assets: dict[str, AudioReady] = {}

    async def enriched(self, call_ids: Collection[str]) -> dict[str, EnrichedCall]:
        return {call_id: self.calls[call_id] for call_id in call_ids if call_id in self.calls}

    async def asset(self, call_id: str) -> AudioReady | None:
        return self.assets.get(call_id)

    async def add_assets(self, audio: Sequence[AudioReady]) -> None:
        self.assets |= {one.call_id: one for one in audio}

    async def model_versions(self, _call_ids: Collection[str]) -> list[tuple[str, str]]:
        return []


class Reader:
    """Stands for Kafka: every record is gone."""

    async def record(self, _topic: str, _partition: int, _offset: int) -> None:
        return None


class Scene:
    """A mender, and what is around it."""

    def __init__(self) -> None:
        self.rows, self.recorder, self.publisher, self.objects = Rows(), FakeRecorder(), FakePublisher(), FakeObjectStore()
        everything: dict[str, Any] = {"calls": self.rows, "rows": self.rows, "objects": self.objects, "publisher": self.publisher}
        nothing: dict[str, Any] = dict.fromkeys(("warehouse", "composite", "annotating", "privacy"))
        self.tools = Tools(
            recorder=self.recorder,
            recordings=Recordings(self.recorder, self.objects),
            vault=VAULT,
            tenants=TenantsFile(None),
            settings=settings(),
            now=lambda: NOW,
            **everything,
            **nothing,
        )

    def record(self, call_id: str, audio: bytes | None = None) -> None:
        self.recorder.add(Segment(inum=call_id, started_at=STARTED, ended_at=ENDED, udfs="card=1"), audio)

    async def mend(self, *gaps: Gap) -> Mended:
        reader: Any = Reader()
        return await Mender(self.tools, reader).mend(gaps)


def gap(call_id: str, remedy: Remedy | None, where: Coordinates | None = None) -> Gap:
    return Gap(Hop.POLL, "acme", call_id, "it is missing", remedy, STARTED, where, "calls.raw")


async def test_missed_calls_are_published_as_the_poller_would_their_customers_sealed() -> None:
    scene = Scene()
    scene.record("1")
    scene.record("2")

    assert (await scene.mend(gap("1", Remedy.POLL))).done == {Remedy.POLL: 1}

    (record,) = scene.publisher.published
    assert (record.topic, record.key) == (Names().polled, b"1")
    call = Decoder(RawCall)(record.value)
    assert isinstance(call, RawCall)
    assert VAULT.open(call.sealed_udfs, bound_to=on_the_wire("1")) == "card=1"


async def test_a_call_that_dedup_knows_enters_behind_it() -> None:
    scene = Scene()
    scene.record("1")
    await scene.mend(gap("1", Remedy.ENRICH))

    assert scene.publisher.keys(Names().raw) == ["1"]


async def test_many_gaps_are_closed_some_at_a_time() -> None:
    scene = Scene()
    names = [str(number) for number in range(AT_ONCE + 1)]
    for name in names:
        scene.record(name)

    assert (await scene.mend(*(gap(name, Remedy.POLL) for name in names))).done == {Remedy.POLL: AT_ONCE + 1}
    assert sorted(scene.publisher.keys(Names().polled)) == sorted(names)


async def test_what_cannot_be_done_again_is_left_with_its_reason() -> None:
    scene = Scene()
    scene.rows.calls = {"silent": enriched_call("silent"), "text": enriched_call("text")}
    scene.record("text", b"this is no audio, whatever its name says" * 100)
    gaps = (
        gap("unknown", Remedy.POLL),
        gap("gone", Remedy.ENRICH, Coordinates(0, 1)),
        gap("silent", Remedy.COPY),
        gap("text", Remedy.COPY),
        gap("no row", Remedy.COPY),
        gap("no asset", Remedy.SCORE),
        gap("no result", Remedy.TELL),
        gap("no record", Remedy.STORE, Coordinates(0, 1)),
        gap("nothing to be done", None),
    )

    mended = await scene.mend(*gaps)

    assert {each.subject: reason for each, reason in mended.left} == {
        "unknown": "the recorder knows it no more",
        "gone": "its record is gone",
        "silent": "the recorder has its recording no more",
        "text": "what the recorder gave is not audio",
        "no row": "its row is gone",
        "no asset": "it has no recording; download it first",
        "no result": "it has no result with a transcript any more",
        "no record": "its record is gone",
    }
    assert mended.done.total() == 0
    assert scene.publisher.published == []


async def test_a_waiting_call_goes_to_the_stage_that_it_waits_for() -> None:
    scene = Scene()
    scene.rows.calls = {"1": enriched_call("1"), "2": enriched_call("2")}
    scene.rows.assets = {"2": audio_ready(enriched_call("2"))}
    await scene.mend(gap("1", Remedy.ONWARD), gap("2", Remedy.ONWARD))

    assert (scene.publisher.keys(Names().enriched), scene.publisher.keys(Names().ready)) == (["1"], ["2"])


async def test_gaps_are_closed_in_the_order_in_which_their_calls_started() -> None:
    scene = Scene()
    late = enriched_call("late", started_at=STARTED + timedelta(minutes=1))
    scene.rows.calls = {"late": late, "early": enriched_call("early")}
    late_gap = Gap(Hop.STATUS, "acme", "late", "it waits", Remedy.ONWARD, late.started_at)
    await scene.mend(late_gap, gap("early", Remedy.ONWARD))

    assert scene.publisher.keys(Names().enriched) == ["early", "late"]
