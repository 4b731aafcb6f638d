"""Refuses migrations that would stop the workers that run: `python deploy/lint_migrations.py [postgres folder] [clickhouse folder]`.

squawk reads PostgreSQL's (.squawk.toml says what counts), the rules here are what it has none for, and ClickHouse's. docs/migrations.md tells what to
write instead, and how a statement that is meant is let through: `-- lint-allow <rule>: <reason>` before it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import sqlparse

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / ".squawk.toml"
# A rollback takes away what its migration made: that is its purpose.
TAKES_AWAY = ("ban-drop-table", "ban-drop-column", "ban-drop-constraint", "ban-drop-function", "ban-drop-view")
# Applied before the first release; goes on in the server by itself.
BEFORE_RELEASE = {"0021_voc_call_ids.sql", "0031_transcript_words.sql"}
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Rule:
    """What is refused.

    Attributes:
        name: as `lint-allow` says it.
        pattern: of a statement without comments, its white space made one blank.
        why: what it does to those who run, and what to write instead.
    """

    name: str
    pattern: str
    why: str


POSTGRES = (
    Rule("rewrites", r"^(VACUUM\s.*\bFULL\b|VACUUM \(.*FULL|CLUSTER\b)", "rewrites the table under a lock that keeps readers out"),
    Rule("locks", r"^(LOCK|TRUNCATE)\b", "keeps readers and writers out until the migration ends"),
    Rule("refresh", r"^REFRESH MATERIALIZED VIEW (?!CONCURRENTLY)", "keeps readers out: refresh it CONCURRENTLY"),
    Rule("backfill", r"^(UPDATE|DELETE FROM)\b", "holds every row until it ends: backfill in batches that commit"),
)
CLICKHOUSE = (
    Rule(
        "mutation",
        r"^(ALTER TABLE \S+ (ON CLUSTER \S+ )?(UPDATE|DELETE)\b|DELETE FROM\b|UPDATE\b)",
        "rewrites parts: write a new column",
    ),
    Rule("materialize", r"\bMATERIALIZE (INDEX|COLUMN|PROJECTION|TTL|STATISTICS)\b", "rewrites parts: merges do it in time"),
    Rule("optimize", r"^OPTIMIZE\b", "rewrites parts"),
    Rule("column-type", r"\b(MODIFY|ALTER) COLUMN\b", "rewrites the column while inserts wait: add a new column, and read both"),
    Rule("ttl", r"^ALTER\b.*\bMODIFY TTL\b", "deletes or rewrites old parts at once"),
    Rule("order", r"\bMODIFY (ORDER BY|SAMPLE BY|PRIMARY KEY)\b", "cannot be taken back: make a new table"),
    Rule(
        "rename",
        r"^(RENAME|EXCHANGE)\b|\bRENAME COLUMN\b",
        "older workers write by the old name: add the new one beside it",
    ),
    Rule(
        "drop",
        r"^(DROP|DETACH|TRUNCATE)\b|\b(DROP|CLEAR|DETACH) (COLUMN|PARTITION|PART)\b",
        "older workers use it: a release after its last use",
    ),
    Rule("populate", r"\bPOPULATE\b", "misses what is inserted meanwhile: create the view, then fill it by day"),
    Rule("backfill", r"^INSERT\b", "has no bound on its time and no token: fill by day, from a command that can be run again"),
    Rule(
        "not-again",
        r"^CREATE (?!.*\bIF NOT EXISTS\b)|\bADD (COLUMN|INDEX|CONSTRAINT|PROJECTION) (?!IF NOT EXISTS)",
        "one that broke off is run again",
    ),
)


def main(postgres: Path = ROOT / "migrations" / "postgres", clickhouse: Path = ROOT / "migrations" / "clickhouse") -> int:
    """Print what is refused; return 1 if anything is."""
    refused = [*squawk(postgres), *own_of_postgres(postgres), *of_clickhouse(clickhouse)]
    for line in refused:
        print(line)
    files = len(list(postgres.glob("*.sql"))) + len(list(clickhouse.glob("*.sql")))
    print(f"migrations: {files} files, {len(refused)} refusals")
    return 1 if refused else 0


def squawk(folder: Path) -> list[str]:
    """Return what squawk refuses, a line each."""
    excluded = (*tomllib.loads(CONFIG.read_text(encoding="utf-8"))["excluded_rules"], *TAKES_AWAY)
    # Rules named on the command line replace those of the file.
    rollbacks = [flag for rule in excluded for flag in ("--exclude", rule)]
    return [*_squawk(_forward(folder)), *_squawk(_back(folder), *rollbacks)]


def _squawk(paths: list[Path], *flags: str) -> list[str]:
    if not paths:
        return []
    command: list[str | Path] = [Path(sys.executable).parent / "squawk", "--config", CONFIG, "--reporter", "gcc", *flags, "--", *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    lines = done.stdout.strip().splitlines()
    return lines or ([f"squawk failed: {done.stderr.strip()[-300:]}"] if done.returncode else [])


def own_of_postgres(folder: Path) -> list[str]:
    """Return what squawk has no rule for: forgotten directives, locks of whole tables, updates of all rows at once."""
    exempt = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["excluded_paths"]
    paths = [path for path in _forward(folder) if not any(fnmatch(str(path), pattern) for pattern in exempt)]
    return [line for path in paths for line in (*_directives(path), *_refused(path, sqlparse.split(path.read_text(encoding="utf-8")), POSTGRES))]


def _directives(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    alone = re.search(r"^--\s*transactional:\s*false\s*$", text, re.MULTILINE) is not None
    told = "-- squawk-disable-assume-in-transaction" in text
    times = [name for name in ("lock_timeout", "statement_timeout") if re.search(rf"^SET {name}\b", text, re.MULTILINE | re.IGNORECASE)]
    if alone != told:
        yield f"{path.name}: transactional: say both `-- transactional: false` and `-- squawk-disable-assume-in-transaction`, or neither"
    if not alone and re.search(r"\bCONCURRENTLY\b", "\n".join(_bare(part) for part in sqlparse.split(text)), re.IGNORECASE):
        yield f"{path.name}: transactional: CONCURRENTLY works outside a transaction only: `-- transactional: false`"
    if alone and len(times) < 2:
        yield f"{path.name}: timeouts: without a transaction, SET lock_timeout and statement_timeout to what the statements need"


def of_clickhouse(folder: Path) -> list[str]:
    """Return what would rewrite a table, delete, or break those who run, of forward migrations."""
    paths = [path for path in _forward(folder) if path.name not in BEFORE_RELEASE]
    return [line for path in paths for line in _refused(path, path.read_text(encoding="utf-8").split(";\n"), CLICKHOUSE)]


def _refused(path: Path, statements: list[str], rules: tuple[Rule, ...]) -> Iterator[str]:
    for statement in statements:
        allowed = set(re.findall(r"^\s*--\s*lint-allow ([a-z-]+): *\S", statement, re.MULTILINE))
        bare = _bare(statement)
        for rule in rules:
            if rule.name not in allowed and re.search(rule.pattern, bare, re.IGNORECASE):
                yield f"{path.name}: {rule.name}: {bare[:80]}: {rule.why}"


def _bare(statement: str) -> str:
    return " ".join(sqlparse.format(statement, strip_comments=True).split())


def _forward(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.sql") if not path.name.endswith(".rollback.sql"))


def _back(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.rollback.sql"))


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:3])))
