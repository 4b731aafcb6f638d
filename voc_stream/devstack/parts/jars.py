"""Apache Kafka's jars: by Maven from ``pom.xml``, once for this user; DEVSTACK_KAFKA=3.9 takes ``pom-3.9.xml`` instead."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

from voc_stream.devstack.child import Command
from voc_stream.devstack.errors import MissingProgramError, PartError
from voc_stream.devstack.parts.base import Part

POMS = Path(__file__).parent.parent
_MAVEN_SECONDS = 300.0


def kafka_pom() -> Path:
    """The pom of the Kafka that DEVSTACK_KAFKA names; by default that of the newest.

    Raises:
        PartError: there is none of that name.
    """
    named = os.environ.get("DEVSTACK_KAFKA")
    pom = POMS / (f"pom-{named}.xml" if named else "pom.xml")
    if not pom.exists():
        raise PartError("kafka", f"DEVSTACK_KAFKA={named}: there is no {pom.name}")
    return pom


def kafka_version() -> str:
    """The version that the pom pins.

    Raises:
        ValueError: the pom names none.
    """
    pom = kafka_pom()
    found = re.search(r"<kafka\.version>([\w.]+)</kafka\.version>", pom.read_text())
    if not found:
        msg = f"{pom} pins no kafka.version"
        raise ValueError(msg)
    return found.group(1)


def cache_folder() -> Path:
    """Where the jars are kept for every stack of this user; ``make clean-stack`` leaves them."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "voc-stream" / f"kafka-{kafka_version()}"


def java() -> str:
    """The java program, of JAVA_HOME or of the PATH.

    Raises:
        MissingProgramError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    found = found or shutil.which("java")
    if not found:
        what = "Kafka"
        raise MissingProgramError(what, "java")
    return found


async def ensure_jars(part: Part) -> Path:
    """The folder with the jars, fetched by Maven if it is not there yet.

    Raises:
        MissingProgramError: it is not there and Maven is not installed.
        PartError: Maven failed.
    """
    folder = cache_folder()
    if folder.exists():
        return folder
    maven = shutil.which("mvn")
    if not maven:
        what = "Fetching Kafka once"
        raise MissingProgramError(what, "mvn")
    part.site.say(f"{part.name:<11} fetching Apache Kafka {kafka_version()} with Maven (once, about 45 MB)")
    draft = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={draft}")
        await part.run_tool(Command([maven, "-B", "-q", "-f", str(kafka_pom()), *goal]), "fetching Kafka with Maven", _MAVEN_SECONDS)
        if not folder.exists():  # another stack may have been quicker
            draft.rename(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
    return folder
