"""uvloop says by a RuntimeError that a connection is closed; aiokafka takes it for a bug and stops fetching for good (docs/adr/0022)."""

from __future__ import annotations

from functools import wraps
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_METHODS = ("send", "_send_sasl_token")


def tell_broken_writes() -> None:
    """Let every connection to Kafka of this process report a write that came too late as what it is: a broken connection."""
    for name in _METHODS:
        method = getattr(AIOKafkaConnection, name)
        if not hasattr(method, "__wrapped__"):
            setattr(AIOKafkaConnection, name, _telling(method))


def _telling(method: Any) -> Any:
    @wraps(method)
    def send(self: AIOKafkaConnection, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self._host}:{self._port} broken: {error}") from error

    return send
