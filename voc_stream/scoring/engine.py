"""One recording from bytes to answer: listen, decide whether it can be scored, transcribe, judge. Synchronous; runs off the event loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from voc_stream.nlp.sentiment import SentimentScorer
from voc_stream.scoring.asr import Clip, Transcriber
from voc_stream.scoring.audio import open_recording
from voc_stream.scoring.conversation import Conversation, Mood, Speaker, Turn, Word, build_turns
from voc_stream.scoring.items import Judgement, judge
from voc_stream.scoring.listening import Heard, listen
from voc_stream.scoring.packing import Cutter, plan
from voc_stream.scoring.rubric import Rubric
from voc_stream.scoring.vad import SpeechDetector
from voc_stream.scoring.verdict import NotScorable, verdict
from voc_stream.scoring.wire import AudioOut, CallMetadata, EvidenceOut, ItemOut, ScoreOut, TranscriptOut, TurnOut

_SENTENCE_ENDS = (".", "!", "?")


def _never() -> None:
    return


@dataclass(frozen=True, slots=True)
class Engine:
    """The loaded models and the rubric. ``transcriber`` is None where there is no speech recognition."""

    rubric: Rubric
    new_detector: Callable[[], SpeechDetector]
    sentiment: SentimentScorer
    transcriber: Transcriber | None
    asr_detail: str | None
    max_seconds: float
    min_seconds: float
    clock: Callable[[], float] = time.perf_counter

    @property
    def asr_model(self) -> str:
        """The speech recogniser's name, or ``none``."""
        return self.transcriber.name if self.transcriber else "none"

    @property
    def model_version(self) -> str:
        """What a score depends on: rubric and recogniser."""
        return f"rubric-{self.rubric.version}+{self.asr_model}"

    def score(self, file: BinaryIO, metadata: CallMetadata, check: Callable[[], None] = _never) -> ScoreOut:
        """Score one recording. ``check`` is called now and then and may raise to stop the work.

        Raises:
            NotAudioError, TooLargeError: the recording is refused.
        """
        began = self.clock()
        out = self._score(file, metadata, check)
        return out.model_copy(update={"latency_ms": round(1000 * (self.clock() - began))})

    def _score(self, file: BinaryIO, metadata: CallMetadata, check: Callable[[], None]) -> ScoreOut:
        if file.seek(0, 2) == 0:
            audio = AudioOut(codec=None, duration=0.0, sample_rate=None, channels=None, talk_seconds={})
            return self._not_scorable(metadata, audio, NotScorable("empty", "The recording is an empty file."))
        heard = listen(file, self.new_detector, max_seconds=self.max_seconds, check=check)
        audio = _audio_out(heard)
        problem = verdict(heard, expected_seconds=metadata.expected_seconds, min_seconds=self.min_seconds)
        if problem:
            return self._not_scorable(metadata, audio, problem)
        conversation = self._understand(file, heard, check)
        if conversation.transcribed and not conversation.turns:
            return self._not_scorable(metadata, audio, NotScorable("not_speech", "Voices are heard, but no words could be made out."))
        judged = [(item, judge(conversation, item)) for item in self.rubric.items]
        breakdown = [_item_out(item.item, item.points, judgement) for item, judgement in judged]
        transcript = TranscriptOut(language="en", turns=[_turn_out(turn) for turn in conversation.turns]) if conversation.transcribed else None
        return ScoreOut(
            call_id=metadata.call_id,
            outcome="SCORED",
            score=total(breakdown),
            model_version=self.model_version,
            asr_model=self.asr_model,
            breakdown=breakdown,
            transcript=transcript,
            audio=audio,
        )

    def _not_scorable(self, metadata: CallMetadata, audio: AudioOut, problem: NotScorable) -> ScoreOut:
        return ScoreOut(
            call_id=metadata.call_id,
            outcome="NOT_SCORABLE",
            reason=problem.reason,
            detail=problem.detail,
            model_version=self.model_version,
            asr_model=self.asr_model,
            audio=audio,
        )

    def _understand(self, file: BinaryIO, heard: Heard, check: Callable[[], None]) -> Conversation:
        if self.transcriber is None:
            return Conversation(heard.duration, heard.speech)
        words: dict[Speaker, list[Word]] = {speaker: [] for speaker in heard.speech}
        for speaker, said in self.transcriber.transcribe(self._clips(file, heard), check):
            words[speaker] += said
        turns = build_turns(words)
        return Conversation(heard.duration, heard.speech, turns, tuple(self._moods(turns)), transcribed=True)

    def _clips(self, file: BinaryIO, heard: Heard) -> Iterator[Clip]:
        """The speech of all channels, as the recording passes a second time."""
        cutters = [(speaker, Cutter(plan(spans, heard.probabilities[speaker], heard.duration))) for speaker, spans in heard.speech.items()]
        with open_recording(file, max_seconds=self.max_seconds) as recording:
            for block in recording.blocks:
                for channel, (speaker, cutter) in enumerate(cutters):
                    for window, samples in cutter.feed(block[channel]):
                        yield Clip(speaker, window, samples)
        for speaker, cutter in cutters:
            for window, samples in cutter.rest():
                yield Clip(speaker, window, samples)

    def _moods(self, turns: tuple[Turn, ...]) -> Iterator[Mood]:
        for turn in turns:
            if turn.speaker == "customer":
                for words in _sentences(turn.words):
                    quote = " ".join(word.text for word in words)
                    yield Mood(quote, words[0].start, words[-1].end, self.sentiment.sentence(quote))


def total(breakdown: list[ItemOut]) -> float:
    """The score: the points of the applicable items against what they could have been, 0 to 100, two decimals."""
    applicable = [item for item in breakdown if item.applicable]
    return round(100 * sum(item.points for item in applicable) / sum(item.max_points for item in applicable), 2)


def _sentences(words: tuple[Word, ...]) -> Iterator[tuple[Word, ...]]:
    first = 0
    for at, word in enumerate(words, start=1):
        if word.text.endswith(_SENTENCE_ENDS) or at == len(words):
            yield words[first:at]
            first = at


def _audio_out(heard: Heard) -> AudioOut:
    return AudioOut(
        codec=heard.codec,
        duration=round(heard.duration, 2),
        sample_rate=heard.sample_rate,
        channels=heard.channels,
        talk_seconds={speaker: round(seconds, 2) for speaker, seconds in heard.speech_seconds.items()},
    )


def _item_out(name: str, points: float, judgement: Judgement) -> ItemOut:
    return ItemOut(
        item=name,
        points=round(points * (judgement.share or 0.0), 2),
        max_points=points,
        applicable=judgement.share is not None,
        detail=judgement.detail,
        evidence=[EvidenceOut(quote=one.quote, start=round(one.start, 2), end=round(one.end, 2), speaker=one.speaker) for one in judgement.evidence],
    )


def _turn_out(turn: Turn) -> TurnOut:
    return TurnOut(speaker=turn.speaker, start=round(turn.start, 2), end=round(turn.end, 2), text=turn.text)
