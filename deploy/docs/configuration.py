"""The documentation's page of settings, made from `.env.example` whenever the site is built: it cannot drift."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

EXAMPLE = Path(__file__).parents[2] / ".env.example"
PAGE = "configuration.md"
_SECTION = re.compile(r"# --- (.+?) ---")
_SETTING = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")


def on_files(files: Files, config: Any) -> Files:
    """Add the page; MkDocs calls this."""
    files.append(File.generated(config, PAGE, content="\n".join(page(EXAMPLE.read_text(encoding="utf-8")))))
    return files


def page(example: str) -> Iterator[str]:
    """Return the page's lines: a table for each section, a row for each setting."""
    yield from ("# Configuration", "")
    yield "Every setting is an environment variable, or a line in `.env`; secrets may be files below `SECRETS_DIR`."
    yield from ("A bad or contradictory one stops the start with one line that names it.", "")
    yield from _head()
    said: list[str] = []
    for line in example.splitlines()[3:]:
        section, setting = _SECTION.fullmatch(line), _SETTING.fullmatch(line)
        if section:
            yield from ("", f"## {section[1]}", "")
            yield from _head()
            said = []
        elif setting:
            yield f"| `{setting[1]}` | {f'`{setting[2]}`' if setting[2] else ''} | {_escaped(' '.join(said))} |"
            said = []
        elif line.startswith("#"):
            said.append(line.removeprefix("#").strip())


def _head() -> tuple[str, str]:
    return "| setting | default | meaning |", "|---|---|---|"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
