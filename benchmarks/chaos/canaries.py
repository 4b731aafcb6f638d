"""Looks for planted personal data where none may be in the clear.

Kafka's raw and dead-letter topics are the trusted zone, and so are S3's recordings; what a customer event holds is the tenant's own payload.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.chaos.crew import Crew
from voc_stream import topics
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.devstack.audit import read_all
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.folder import StackFolder
from voc_stream.runtime.dead_letter import PREFIX
from voc_stream.settings import Settings

# Of the simulator's made-up customers; all of its calls have them.
OF_CALLS = ("Madeup Customer", "4111111111111111", "account=TEST-", "+1415555")
_TABLES = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
# Searched where they are: an hour's rows would not come over in time.
_WORDS = """
SELECT DISTINCT arrayJoin(arrayFilter(word -> position(text, word) > 0, {{words:Array(String)}})) AS word
FROM (SELECT toString(tuple(*)) AS text FROM `{name}`)
"""


def leaks(crew: Crew, canaries: Sequence[str]) -> dict[str, list[str]]:
    """Return which canaries are in the clear, by place; without any it is empty.

    Args:
        crew: its logs, tables, metrics, and its stack's servers, which must run.
        canaries: beside those of the calls.
    """
    wanted = [*OF_CALLS, *canaries]
    folder = StackFolder(crew.place.folder)
    postgres = [crew.place.folder / "postgres", *map(Path, folder.elsewhere())]
    found = {
        "the workers' logs": _in_files([crew.folder / "logs"], wanted),
        "the workers' tables": _in_files(crew.folder.glob("state-*"), wanted),
        "PostgreSQL's files": _in_files(postgres, wanted),
        "metrics": _in_texts(_metrics(crew), wanted),
        **asyncio.run(_in_servers(crew.place.settings, wanted)),
    }
    return {place: canaries for place, canaries in found.items() if canaries}


def _metrics(crew: Crew) -> list[str]:
    texts = []
    for worker in crew.workers:
        try:
            texts.append(worker.metrics())
        except OSError as error:
            raise StackError(f"a worker does not tell its metrics: {error}") from error
    return texts


async def _in_servers(settings: Settings, wanted: Sequence[str]) -> dict[str, list[str]]:
    warehouse = Warehouse(settings)
    try:
        names = [row["name"] for row in await warehouse.query(_TABLES)]
        async with warehouse.patient() as client:
            stored = {row["word"] for name in names for row in await client.query(_WORDS.format(name=name), {"words": list(wanted)})}
    finally:
        await warehouse.close()
    letters = [record for name in topics.dead_letter_topics(settings) for record in await read_all(settings, name)]
    headers = [value.decode(errors="replace") for letter in letters for name, value in letter.headers if name.startswith(PREFIX)]
    return {"ClickHouse": sorted(stored), "headers of dead letters": _in_texts(headers, wanted)}


def _in_texts(texts: Iterable[str], wanted: Sequence[str]) -> list[str]:
    return sorted({canary for text in texts for canary in wanted if canary in text})


def _in_files(folders: Iterable[Path], wanted: Sequence[str]) -> list[str]:
    found: set[str] = set()
    for folder in folders:
        if not folder.exists():
            raise StackError(f"{folder} is not there to be searched")
        for path in folder.rglob("*"):
            # Servers remove files while we look; what is in them has moved elsewhere.
            with suppress(FileNotFoundError):
                if path.is_file():
                    content = path.read_bytes()
                    found |= {canary for canary in wanted if canary.encode() in content}
    return sorted(found)
