"""An S3 server that checks signatures and hashes and costs little: versitygw (Apache 2.0, written in Go), for measuring only.

It is built by `go install` once for this user, pinned and checked by Go's checksum database. Where there is no Go it is left out.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import say
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.ports import free_port, is_free

VERSION = "v1.8.0"
_PACKAGE = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"
_BUILD_SECONDS = 900.0
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running server: the worker's settings for it, and its process."""

    settings: dict[str, str]
    pid: int


@contextmanager
def gateway(folder: Path, bucket: str) -> Iterator[Gateway | None]:
    """Lend a server with an empty bucket, whose objects lie in the folder while it runs; None where it cannot be built."""
    program = _program()
    if program is None:
        yield None
        return
    port, key, secret = free_port(), "bench", secrets.token_urlsafe(24)
    objects = Path(tempfile.mkdtemp(dir=folder))
    (objects / bucket).mkdir()
    env = {**os.environ, "ROOT_ACCESS_KEY": key, "ROOT_SECRET_KEY": secret}
    command = [program, "--port", f"127.0.0.1:{port}", "--keep-alive", "--quiet", "posix", str(objects)]
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _until_it_listens(process, port)
            found = {"S3_ENDPOINT_URL": f"http://127.0.0.1:{port}", "S3_ACCESS_KEY_ID": key, "S3_SECRET_ACCESS_KEY": secret}
            yield Gateway(found, process.pid)
        finally:
            process.terminate()
    shutil.rmtree(objects, ignore_errors=True)


def _program() -> str | None:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voc-stream" / f"versitygw-{VERSION}"
    program = base / "versitygw"
    if program.is_file():
        return str(program)
    go = shutil.which("go")
    if go is None:
        say("versitygw is left out: there is no Go to build it with")
        return None
    say(f"versitygw {VERSION} is being built, once for this user (some minutes)")
    built = subprocess.run([go, "install", _PACKAGE], env={**os.environ, "GOBIN": str(base)}, timeout=_BUILD_SECONDS, check=False)
    if built.returncode:
        say("versitygw is left out: it could not be built")
        return None
    return str(program)


def _until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while is_free(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise StackError("versitygw did not start")
        time.sleep(0.1)
