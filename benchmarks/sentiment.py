"""`make evaluate`: feeling on rated texts that training never saw, and on calls made of them; languages, and what a text costs.

Reads ../shared/data/text; says so and ends where it is not there.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from voc_stream.evaluate_sentiment import SCORE_CUTS
from voc_stream.events.voc import CallEvent, VocEvent
from voc_stream.nlp.evaluation import FEELINGS, Agreement, feeling, pearson
from voc_stream.nlp.sentiment_sources import RATING_CUT, Rated, made_up_calls, read_rated
from voc_stream.services.annotator import Annotator
from voc_stream.services.slow_models import second_opinion
from voc_stream.settings import Settings

CALLS = {"rule": 1500, "embed": 150}
CALL_SEED = 5
_WORDS_SHORT = 52
_NOW = datetime(2026, 11, 22, tzinfo=UTC)


def event(text: str) -> VocEvent:
    return CallEvent(event_id=str(uuid.UUID(int=0)), tenant_id="measured", timestamp=_NOW, call_id="measured", transcript=text)


async def scores(annotator: Annotator, texts: Sequence[str]) -> list[float]:
    return [annotation.sentiment or 0.0 for annotation in await annotator.annotate([event(text) for text in texts])]


async def tell(model: str, annotator: Annotator, held_back: Sequence[Rated]) -> None:
    told = await scores(annotator, [row.text for row in held_back])
    cut = SCORE_CUTS[model]
    for source in (*sorted({row.source for row in held_back}), "all"):
        chosen = [(row.rating, score) for row, score in zip(held_back, told, strict=True) if source in {row.source, "all"}]
        truths = [feeling(rating, -RATING_CUT, RATING_CUT) for rating, _ in chosen]
        agreement = Agreement.of(FEELINGS, truths, [feeling(score, -cut, cut) for _, score in chosen])
        r = pearson([rating for rating, _ in chosen], [score for _, score in chosen])
        print(f"{model:6} {source:7} n={len(chosen)} accuracy={agreement.accuracy:.3f} macro_f1={agreement.macro_f1:.3f} pearson={r:.3f}", flush=True)
    calls = made_up_calls(held_back, CALLS[model], CALL_SEED)
    r = pearson([rating for _, rating in calls], await scores(annotator, [text for text, _ in calls]))
    print(f"{model:6} calls of 200 words n={len(calls)} pearson={r:.3f}", flush=True)


async def cost(annotator: Annotator, held_back: Sequence[Rated]) -> None:
    texts, words = [], []
    for row in held_back:
        words += row.text.split()
        if len(words) >= _WORDS_SHORT:
            texts.append(event(" ".join(words[:_WORDS_SHORT])))
            words = []
    rounds = []
    for _ in range(5):
        began = time.process_time()
        await annotator.annotate(texts)
        rounds.append((time.process_time() - began) / len(texts) * 1e6)
    print(
        f"rule   {statistics.median(rounds):.1f} us of CPU a text of {_WORDS_SHORT} words, with language and topic ({len(texts)} texts)", flush=True
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluate feeling on texts that training never saw.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("../shared/data/text"), help="holds sentiment_hutto_part.csv")
    parser.add_argument("--model", action="append", choices=sorted(CALLS), help="only this one")
    arguments = parser.parse_args()
    if not arguments.folder.exists():
        print(f"evaluate: {arguments.folder} is not here")
        return
    _, held_back = read_rated(arguments.folder)
    for model in arguments.model or sorted(CALLS, reverse=True):
        settings = Settings(sentiment_model=model, annotate_budget_seconds=86_400)
        annotator = Annotator.load(second=second_opinion(settings))
        await annotator.open()
        await tell(model, annotator, held_back)
        if model == "rule":
            await cost(annotator, held_back)
        await annotator.close()


if __name__ == "__main__":
    asyncio.run(main())
