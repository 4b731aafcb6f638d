"""What every part of the stack has in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from voc_stream.devstack.child import Child, Command
from voc_stream.devstack.errors import PartError
from voc_stream.devstack.folder import StackFolder

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Site:
    """Where a stack lives and what its parts share.

    ``say`` takes a line for the person at the terminal.
    """

    folder: StackFolder
    secrets: Mapping[str, str]
    ports: Mapping[str, int]
    say: Callable[[str], None]
    recorder_args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)


class Part(ABC):
    """A server: how it is prepared, started, recognised as ready, and told to others."""

    name: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]]
    ready_seconds: ClassVar[float] = 60.0

    def __init__(self, site: Site) -> None:
        self.site = site

    @property
    def port(self) -> int:
        """The port that clients use."""
        return self.site.ports[self.name]

    @abstractmethod
    async def prepare(self) -> Command:
        """Make what the server needs (data folder, configuration) if it is not there, and say how to start it.

        Raises:
            StackError: something needed is missing.
        """

    @abstractmethod
    async def check(self, pid: int) -> None:
        """Return when the server with this process id does real work; raise anything while it does not."""

    @abstractmethod
    def endpoints(self) -> dict[str, str]:
        """The settings by which a worker finds it."""

    async def run_tool(self, command: Command, what: str, timeout_seconds: float) -> None:
        """Run a helper program to its end, its output in the part's log.

        Raises:
            PartError: it failed or took too long; with the log's last lines.
        """
        child = await Child.start(command, self.site.folder.log(self.name))
        try:
            code = await asyncio.wait_for(child.wait(), timeout_seconds)
        except TimeoutError:
            raise PartError(self.name, f"{what} took longer than {timeout_seconds:.0f} s", child.tail()) from None
        finally:
            await child.kill()
        if code:
            raise PartError(self.name, f"{what} failed: it {child.ending()}", child.tail())
