"""`faust -A voc_stream schemas`: the JSON Schema of every topic's value and of every customer event, into docs/schemas/."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from voc_stream import topics
from voc_stream.events.alerts import AlertEvent
from voc_stream.events.calls import AudioReady, EnrichedCall, ModelVersionUpdated, RawCall, ScoringResult, Transcript
from voc_stream.events.voc import AgentAction, CallEvent, QosMetric, ToolInvocation, VocEvent
from voc_stream.settings import Settings

FOLDER = Path("docs/schemas")
DIALECT = "https://json-schema.org/draft/2020-12/schema"

# File name without its ending → what it describes. A dead-letter topic holds its source's values as they came.
TOPICS: Mapping[str, Any] = {
    topics.CALLS_POLLED: RawCall,
    topics.CALLS_RAW: RawCall,
    topics.CALLS_ENRICHED: EnrichedCall,
    topics.AUDIO_READY: AudioReady,
    topics.SCORING_RESULTS: ScoringResult,
    topics.MODEL_VERSION_UPDATED: ModelVersionUpdated,
    topics.VOC_CALLS: VocEvent,
    topics.VOC_ACTIONS: VocEvent,
    topics.VOC_METRICS: VocEvent,
    topics.VOC_OVERFLOW: VocEvent,
    topics.VOC_ALERTS: AlertEvent,
}
OTHERS: Mapping[str, Any] = {
    "event.call": CallEvent,
    "event.agent_action": AgentAction,
    "event.tool_invocation": ToolInvocation,
    "event.qos_metric": QosMetric,
    "object.transcript": Transcript,
}


def schema_files() -> dict[str, str]:
    """Return the text of every schema by file name."""
    named = {
        **{name: (f"the values of topic {name}", kind) for name, kind in TOPICS.items()},
        **{name: (name, kind) for name, kind in OTHERS.items()},
    }
    return {f"{name}.json": _text(title, kind) for name, (title, kind) in named.items()}


async def run(settings: Settings, echo: Callable[[str], None]) -> int:  # noqa: ARG001 - the protocol of commands
    """Write the files below the working directory's docs/schemas; returns 0."""
    echo(f"schemas: {write(FOLDER)} files in {FOLDER}")
    return 0


def write(folder: Path) -> int:
    """Write the files; returns how many there are."""
    files = schema_files()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return len(files)


def _text(title: str, kind: Any) -> str:
    schema = {"$schema": DIALECT, "title": title, **msgspec.json.schema(kind)}
    return json.dumps(schema, indent=2) + "\n"
