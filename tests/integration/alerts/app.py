"""A worker of the alerts alone, for tests; ALERTS_DIE=1 kills it where it would publish the first one."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from agents import alerts
from voc_stream import factory
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.settings import load_settings


class Dying:
    """Ends the process as kill -9 does, between raising an alert and telling it."""

    async def publish(self, _records: Sequence[Outgoing]) -> list[int]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []


if __name__ == "__main__":
    factory.AGENTS = (alerts,)  # type: ignore[assignment] # the calls are not this test's
    app = factory.create_app(load_settings())
    if os.environ.get("ALERTS_DIE"):
        app.kit.alert_sender._publisher = Dying()
    app.main()
