from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path

import click
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from voc_stream.devstack.s3.state import load, save

_STOP = (signal.SIGTERM, signal.SIGINT)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=9000, show_default=True)
@click.option("--path", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where the objects are kept between two runs.")
def main(host: str, port: int, path: Path) -> None:
    """Serve S3 (moto). Objects live in this process; SIGTERM writes them to --path, SIGKILL loses them."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else a line for every request
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    load(path)
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    server = make_server(host, port, DomainDispatcherApplication(create_backend_app), threaded=True, request_handler=MotoRequestHandler)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    signal.sigwait(_STOP)
    server.shutdown()
    serving.join(timeout=5)
    save(path)


if __name__ == "__main__":
    main()
