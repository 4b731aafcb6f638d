"""Serving the application: a port, TLS whose files may change, and an end when its parent ends."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import ssl
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from voc_stream.logs import get_logger
from voc_stream.settings import Settings, SettingsError
from voc_stream.web.protocol import MOST_HEAD_BYTES, patient

logger = get_logger(__name__)

PORTS_TO_TRY = 100
BACKLOG = 256
# A connection on which nothing is asked is closed after so long.
KEEP_ALIVE_SECONDS = 15
# Answers under way may take so long when the process is to end; streams of events have no end of their own.
GRACE_SECONDS = 3
CERTIFICATE_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


async def serve(app: FastAPI, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: the port is taken, or the TLS files cannot be used; the message is one line.
    """
    listener = listen(settings)
    config = uvicorn.Config(
        app,
        http=patient(settings),
        ws="none",
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.http_proxies),
        forwarded_allow_ips=list(settings.http_proxies),
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
    )
    config.load()
    context = config.ssl = tls(settings)
    scheme = "http" if context is None else "https"
    logger.info("the people's side listens", address=f"{scheme}://{_shown(settings.http_host)}:{listener.getsockname()[1]}")
    following = None if context is None else asyncio.create_task(follow_files(context, settings))
    try:
        await uvicorn.Server(config).serve(sockets=[listener])
    finally:
        if following is not None:
            following.cancel()


def listen(settings: Settings) -> socket.socket:
    """Return a bound socket at HTTP_HOST: HTTP_PORT, in dev the next free one if it is taken.

    Raises:
        SettingsError: it is taken, or none is free.
    """
    host, wanted = settings.http_host, settings.http_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    most = PORTS_TO_TRY if settings.app_env == "dev" else 1
    for port in range(wanted, min(wanted + most, 65536)):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            continue
        if port != wanted:
            logger.warning("HTTP_PORT is taken: the next free one is used", taken=wanted, used=port)
        return listener
    raise SettingsError(f"HTTP_PORT: {wanted} at {host} is taken")


def tls(settings: Settings) -> ssl.SSLContext | None:
    """Return the context of HTTP_TLS_CERT_FILE and HTTP_TLS_KEY_FILE, TLS 1.2 at least; None where they are not set.

    Raises:
        SettingsError: they cannot be used.
    """
    if settings.http_tls_cert_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        _load(context, settings)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"HTTP_TLS_CERT_FILE {settings.http_tls_cert_file}: {error.strerror or 'certificate and key cannot be used'}") from None
    return context


async def follow_files(context: ssl.SSLContext, settings: Settings) -> None:
    """Use a new certificate for new connections when its files change; one that cannot be used is reported, and the old one stays."""
    known = _stamps(settings)
    while True:
        await asyncio.sleep(CERTIFICATE_SECONDS)
        stamps = _stamps(settings)
        if stamps == known:
            continue
        try:
            # A context half loaded would serve nobody: the files are tried on another one.
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings)
            _load(context, settings)
        except (OSError, ssl.SSLError) as error:
            logger.error("the new certificate cannot be used: the one before stays", reason=type(error).__name__)
        else:
            logger.info("a new certificate is used")
        known = stamps


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, however that ends; end at once if it has ended already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        raise SystemExit(0)


def _load(context: ssl.SSLContext, settings: Settings) -> None:
    context.load_cert_chain(str(settings.http_tls_cert_file), str(settings.http_tls_key_file))


def _stamps(settings: Settings) -> list[int]:
    return [_stamp(path) for path in (settings.http_tls_cert_file, settings.http_tls_key_file) if path is not None]


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
