"""The call-scoring and voice-of-customer stream. `faust -A voc_stream worker` finds `app` here."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voc_stream.kit import App


def __getattr__(name: str) -> App:
    """Make `app` at first use: importing a part of the package neither reads settings nor builds anything."""
    if name != "app":
        raise AttributeError(name)
    # agents/ and tables/ lie beside this package, and Faust has the working directory on the path only while it imports the package.
    root = str(Path(__file__).resolve().parent.parent)
    if root not in sys.path:
        sys.path.append(root)
    from voc_stream.early_stop import stop_at_once_until_started

    stop_at_once_until_started(sys.argv)
    import uvloop

    from voc_stream.factory import create_app
    from voc_stream.settings import SettingsError, load_settings

    # Before Faust makes its loops, of which the consumer has one of its own: the worker takes a quarter less CPU.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        app = create_app(load_settings())
    except SettingsError as error:
        raise SystemExit(f"voc-stream: {error}") from None
    globals()["app"] = app
    return app
