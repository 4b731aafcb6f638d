"""What people are shown of calls and events, on every route there is, by a process of the people's side on the pipeline's own servers."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import httpx

from tests.integration.pipeline.pipeline import Pipeline
from tests.integration.web.test_isolation import routes
from tests.web_desk import give_keyring
from tests.web_process import PATIENCE_SECONDS, web_process

# An operator may see the record of a dead letter as it came, which is audited: these show it, and nothing else does.
ORIGINALS = {"/dlq/{letter_id}", "/desk/letters/{letter_id}"}
# Audio holds no text.
SILENT = {"/calls/{call_id}/audio"}


async def shown(pipeline: Pipeline, folder: Path, tenants: Iterable[str], call_ids: Iterable[str], words: str) -> dict[str, str]:
    """Return the answers of every route that reads, with their addresses, and what the process logged and counted meanwhile.

    Args:
        pipeline: whose servers.
        folder: for the process's log.
        tenants: whose pages.
        call_ids: whose pages, too.
        words: to look for in transcripts.
    """
    keyring = await give_keyring(pipeline.database)
    texts = {}
    with web_process(pipeline.settings, folder, STACK_DIR=str(pipeline.stack.folder.absolute())) as web:
        headers = keyring.headers("operate", "")
        async with httpx.AsyncClient(base_url=web.url, headers=headers, timeout=PATIENCE_SECONDS) as client:
            for tenant, path in product(tenants, _paths(call_ids, words)):
                sign = "&" if "?" in path else "?"
                answer = await client.get(f"{path.replace('{tenant_id}', tenant)}{sign}tenant_id={tenant}")
                assert answer.status_code in {200, 303, 403, 404, 422}, (path, answer.status_code, answer.text)
                texts[f"{tenant} {path}"] = f"{answer.status_code} {answer.url}\n{answer.headers}\n{answer.text}"
        texts["the log of the people's side"] = web.log.read_text(errors="replace")
    return texts


def _paths(call_ids: Iterable[str], words: str) -> list[str]:
    found = []
    for _, path in routes("GET"):
        if "{call_id}" in path:
            found += [path.replace("{call_id}", call_id) for call_id in call_ids if path not in SILENT]
        elif path not in ORIGINALS:
            found.append(path)
    return [*(f"{path}?q={words}" if path == "/search" else path for path in found), f"/desk/calls?q={words}", "/calls?format=csv"]
