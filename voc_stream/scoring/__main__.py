"""``python -m voc_stream.scoring``: the scoring service as a process of its own."""

from __future__ import annotations

import argparse
import sys

import structlog
from aiohttp import web

from voc_stream.logs import setup_logging
from voc_stream.scoring.asr import ModelError
from voc_stream.scoring.loading import pin, prepare
from voc_stream.scoring.rubric import RubricError
from voc_stream.scoring.service import Service
from voc_stream.settings import SettingsError, load_settings

_DRAIN_SECONDS = 20.0


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; 1 where the settings, the rubric or the model are at fault."""
    parser = argparse.ArgumentParser("python -m voc_stream.scoring", description=__doc__, epilog="All other settings: SCORER_* in .env.example.")
    parser.add_argument("--host", help="address to listen on (SCORER_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on (SCORER_PORT)")
    given = {f"scorer_{name}": value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    try:
        settings = load_settings(**given)
        setup_logging(settings)
        pin(settings.scorer_cpus)
        service = Service(settings, prepare(settings))
    except (SettingsError, RubricError, ModelError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    log = structlog.get_logger(__name__)
    log.info("listening", host=settings.scorer_host, port=settings.scorer_port)
    web.run_app(
        service.app(),
        host=settings.scorer_host,
        port=settings.scorer_port,
        shutdown_timeout=_DRAIN_SECONDS,
        handler_cancellation=True,
        access_log=None,
        print=None,
    )
    if service.failure:
        log.error("cannot_load", detail=str(service.failure))
        return 1
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
