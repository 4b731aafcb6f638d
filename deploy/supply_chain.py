"""What the images are made of: `python deploy/supply_chain.py audit | licences | sbom`. `make check` runs the first two."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
LOCKS = ("worker", "asr", "embed", "tracing")
# What may be linked from Apache-2.0 code without binding it; pip-licenses looks for each as a part of a package's licence.
ALLOWED = (
    "MIT",
    "Apache",
    "BSD",
    "Python Software Foundation",
    "PSF",
    "LGPL",
    "Lesser General Public",
    "Repoze",
    "Mozilla Public License 2.0",
    "MPL-2.0",
    "ISC",
)
PATIENCE_SECONDS = 180


def packages() -> list[str]:
    """Return the names of all packages that an image may hold."""
    locks = ((ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8") for lock in LOCKS)
    return sorted({name for lock in locks for name in re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE)})


def audit() -> int:
    """Look for known weaknesses; where the advisory data cannot be had, say so."""
    command = [BIN / "pip-audit", "-r", ROOT / "requirements" / "worker.txt", "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    done = subprocess.run([*command, "--format", "json", "--timeout", "5"], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    if not done.stdout:
        print(f"audit: not done, the advisory data cannot be had: {(done.stderr.strip().splitlines() or ['no answer'])[-1][:200]}")
        return 0
    return told(json.loads(done.stdout)["dependencies"])


def told(dependencies: Iterable[dict[str, Any]]) -> int:
    """Print what pip-audit found; return 1 if a package has a known weakness."""
    known = list(dependencies)
    weak = [each for each in known if each.get("vulns")]
    for each in weak:
        print(f"{each['name']} {each['version']}: {', '.join(found['id'] for found in each['vulns'])}")
    skipped = sum("skip_reason" in each for each in known)
    print(f"audit: {len(known) - skipped} packages audited, {len(weak)} weak; of {skipped} the advisory data cannot be had here")
    return 1 if weak else 0


def licences() -> int:
    """Print the licences, and fail at one that would bind us."""
    asked = [BIN / "pip-licenses", "--from=mixed", "--partial-match", f"--allow-only={';'.join(ALLOWED)}", "--packages", *packages()]
    done = subprocess.run([*asked, "--format=csv"], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    if done.returncode:
        print(f"licences: {done.stderr.strip()}")
        return 1
    print(f"licences: {len(done.stdout.splitlines()) - 1} packages, all of them permissive or LGPL")
    return 0


def sbom() -> int:
    """Write sbom.json (CycloneDX) of the worker's lock."""
    command = [BIN / "cyclonedx-py", "requirements", ROOT / "requirements" / "worker.txt", "--output-reproducible", "-o", ROOT / "sbom.json"]
    return subprocess.run(command, timeout=PATIENCE_SECONDS, check=False).returncode


TASKS: dict[str, Callable[[], int]] = {"audit": audit, "licences": licences, "sbom": sbom}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in TASKS:
        sys.exit(f"one of: {', '.join(TASKS)}")
    sys.exit(TASKS[sys.argv[1]]())
