"""What the documentation's site makes by itself: the page of settings, from `.env.example`, and the lists of a folder's pages in the navigation."""

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


def on_config(config: Any) -> Any:
    """Put a folder's pages, in order of their names, where the navigation names the folder; MkDocs calls this."""
    config.nav = listed(config.nav, Path(config.docs_dir))
    return config


def listed(nav: Any, docs: Path) -> Any:
    """Return the navigation with folders replaced by their pages."""
    if isinstance(nav, str):
        folder = docs / nav
        return [f"{nav}/{page.name}" for page in sorted(folder.glob("*.md"))] if folder.is_dir() else nav
    if isinstance(nav, dict):
        return {title: listed(entry, docs) for title, entry in nav.items()}
    return [listed(entry, docs) for entry in nav]


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
