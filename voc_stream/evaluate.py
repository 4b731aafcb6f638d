"""`faust -A voc_stream evaluate WHAT FILE.csv`: how far what would be stored of labelled texts agrees with their labels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import click

from voc_stream.evaluate_privacy import privacy
from voc_stream.evaluate_sentiment import sentiment
from voc_stream.labelled import Echo, FileUnusableError, Row, column, event_of, read_rows, tell
from voc_stream.nlp.evaluation import Agreement
from voc_stream.nlp.topics import TOPICS, TopicClassifier
from voc_stream.services.annotator import Annotator
from voc_stream.services.reloaded import FileError
from voc_stream.services.topics_file import topics_file
from voc_stream.settings import Settings, SettingsError

Evaluator = Callable[[Settings, Sequence[Row], Echo], Awaitable[str]]


async def run(settings: Settings, echo: Echo, *, what: str, file: Path, model: Literal["rule", "embed"] | None = None) -> int:
    """Print what there is to be told of each label and, last, the figures; return the exit code. `model` stands for SENTIMENT_MODEL."""
    if model is not None:
        settings = settings.model_copy(update={"sentiment_model": model})
    try:
        rows = read_rows(file)
        figures = await EVALUATORS[what](settings, rows, echo)
    except (FileUnusableError, FileError, SettingsError) as error:
        click.echo(f"voc-stream: {error}", err=True)
        return 1
    echo(f"evaluate: n={len(rows)} {figures}")
    return 0


async def topics(settings: Settings, rows: Sequence[Row], echo: Echo) -> str:
    """Evaluate topics: columns text, label and, for a tenant's keywords, tenant."""
    truths = [label.strip().lower() for label in column(rows, "label")]
    annotator = Annotator.load(partial(TopicClassifier, keywords=topics_file(settings).current))
    annotations = await annotator.annotate([event_of(row) for row in rows])
    said = [annotation.topic or "other" for annotation in annotations]
    others = sorted({*truths, *said} - set(TOPICS))
    agreement = Agreement.of((*TOPICS, *others), truths, said)
    tell(agreement, echo)
    return f"accuracy={agreement.accuracy:.3f} macro_f1={agreement.macro_f1:.3f}"


EVALUATORS: dict[str, Evaluator] = {"privacy": privacy, "sentiment": sentiment, "topics": topics}
