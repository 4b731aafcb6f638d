"""The scoring API in memory: the same answers as the HTTP client's, proven by tests/contract/test_scoring.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from tests.fakes.faults import PlannedFaults
from voc_stream.clients.scoring_wire import ScoredAudio, ScoreReply, ScoreRequest
from voc_stream.errors import OutsideError, RejectedError
from voc_stream.events.calls import BreakdownItem, Evidence, Transcript, Turn


class FakeScoring(PlannedFaults):
    """Scores every WAV the same; no bytes are `empty`, bytes that are no WAV are refused.

    Attributes:
        version: the model version of every answer.
        answers: by call_id, what is answered instead.
        asked: the requests that came, in order, with their audio.
    """

    def __init__(self, version: str = "rubric-1+whisper-tiny.en") -> None:
        super().__init__()
        self.version = version
        self.answers: dict[str, ScoreReply] = {}
        self.asked: list[tuple[ScoreRequest, bytes]] = []

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def model_version(self) -> str:
        self.check("model_version")
        return self.version

    async def score(self, request: ScoreRequest, audio: AsyncIterator[bytes]) -> ScoreReply:
        data = b"".join([chunk async for chunk in audio])
        self.check("score")
        return self._answer(request, data)

    async def score_batch(self, calls: Sequence[tuple[ScoreRequest, bytes]]) -> list[ScoreReply | OutsideError]:
        self.check("score_batch")
        replies: list[ScoreReply | OutsideError] = []
        for request, audio in calls:
            try:
                replies.append(self._answer(request, audio))
            except RejectedError as error:
                replies.append(error)
        return replies

    async def probe(self) -> None:
        self.check("probe")

    def _answer(self, request: ScoreRequest, audio: bytes) -> ScoreReply:
        self.asked.append((request, audio))
        if request.call_id in self.answers:
            return self.answers[request.call_id]
        if not audio:
            return ScoreReply(
                call_id=request.call_id, outcome="NOT_SCORABLE", reason="empty", detail="The recording holds no audio.",
                model_version=self.version, asr_model="whisper-tiny.en",
            )  # fmt: skip
        if not audio.startswith(b"RIFF"):
            raise RejectedError("scorer", "it answered 415: The file is not audio.")
        quote = Evidence(quote="Hello, how can I help you?", start=0.4, end=2.1, speaker="agent")
        item = BreakdownItem(item="greeting", points=10.0, max_points=10.0, applicable=True, detail="The agent greets.", evidence=(quote,))
        return ScoreReply(
            call_id=request.call_id,
            outcome="SCORED",
            score=87.25,
            model_version=self.version,
            asr_model="whisper-tiny.en",
            breakdown=(item,),
            transcript=Transcript(turns=(Turn(speaker="agent", start=0.4, end=2.1, text=quote.quote),)),
            audio=ScoredAudio(codec="pcm_s16le", duration=30.0, sample_rate=8000, channels=2, talk_seconds={"agent": 12.0}),
            latency_ms=5,
        )
