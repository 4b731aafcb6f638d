"""The live server against its own document: schemathesis runs all its checks. No 5xx, no undocumented answer, no wrong refusal."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import httpx
import pytest

from tests.integration.web.conftest import Front

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(600)]

# Of requests; a slow machine sends fewer.
SECONDS = 60
CONFIG = Path(__file__).with_name("schemathesis.toml")


async def test_what_the_server_answers_is_what_its_document_says(front: Front, tmp_path: Path) -> None:
    headers = front.world.keyring.headers("admin")
    async with httpx.AsyncClient(base_url=front.web.url, headers=headers, timeout=60) as client:
        document = await client.get("/openapi.json")
    (tmp_path / "openapi.json").write_text(document.raise_for_status().text)
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run", str(tmp_path / "openapi.json"),
        "--url", front.web.url, "--header", f"Authorization: {headers['Authorization']}", "--checks", "all", "--max-time", str(SECONDS),
        "--no-shrink", "--continue-on-failure", "--request-timeout", "60",
    ]  # fmt: skip
    run = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env=os.environ | {"NO_COLOR": "1"}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await run.communicate()
    assert run.returncode == 0, said.decode()
    assert front.web.process.poll() is None
    assert '"level": "error"' not in front.web.log.read_text()
