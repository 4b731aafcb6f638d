"""The simulator as a process."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import aiohttp
from click.testing import CliRunner

from voc_stream.devstack.recorder.__main__ import main


async def test_it_says_where_it_is_and_stops_at_sigterm(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voc_stream.devstack.recorder", "--port", "0", "--calls", "1", "--mix", "plain", "--data", str(tmp_path)),
        env=os.environ | {"AVAYA_USERNAME": "tester", "AVAYA_PASSWORD": "made-up"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    found = re.search(r"(http://127\.0\.0\.1:\d+)/searchapi \(zone Europe/Berlin", line)
    assert found is not None
    headers = {"Authorization": aiohttp.encode_basic_auth("tester", "made-up")}
    async with aiohttp.ClientSession(found.group(1), headers=headers) as session:
        async with session.get("/healthz") as answer:
            assert answer.status == 200
        async with session.get("/control/calls") as answer:
            assert (await answer.json())["planned"] == 1

    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0


def test_it_does_not_start_without_a_password() -> None:
    result = CliRunner().invoke(main, ["--username", "tester"], env={"AVAYA_PASSWORD": None})

    assert result.exit_code == 2
    assert "--password" in result.output


def test_a_zone_that_is_none_is_refused_by_name() -> None:
    result = CliRunner().invoke(main, ["--username", "tester", "--password", "made-up", "--timezone", "Moon/Crater"])

    assert result.exit_code == 2
    assert "'Moon/Crater' is not a time zone" in result.output


def test_help_lists_every_option() -> None:
    result = CliRunner().invoke(main, ["--help"])

    assert result.exit_code == 0
    for option in ("--audio", "--calls", "--rate", "--seed", "--mix", "--endless", "--timezone", "--result-cap", "--data", "--port"):
        assert option in result.output
