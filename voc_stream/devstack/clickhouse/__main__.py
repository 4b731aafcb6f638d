from __future__ import annotations

import os
from pathlib import Path

import click
from aiohttp import web

from voc_stream.devstack.clickhouse.engine import Engine
from voc_stream.devstack.clickhouse.server import Server


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8123, show_default=True)
@click.option("--path", type=click.Path(path_type=Path, file_okay=False), required=True, help="Data folder; one process may hold it.")
@click.option("--user", envvar="CLICKHOUSE_USER", default="default", show_default=True)
@click.option("--password", envvar="CLICKHOUSE_PASSWORD", default="", help="Better given by CLICKHOUSE_PASSWORD.")
def main(host: str, port: int, path: Path, user: str, password: str) -> None:
    """Serve ClickHouse's engine (chdb) over HTTP."""
    os.environ["TZ"] = "UTC"
    path.mkdir(parents=True, exist_ok=True)
    server = Server(Engine(path), user, password)
    web.run_app(server.application(), host=host, port=port, print=None, access_log=None, shutdown_timeout=5.0)


if __name__ == "__main__":
    main()
