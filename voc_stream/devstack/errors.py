"""What can go wrong with the stack, each as one line for the person who started it."""

from __future__ import annotations


class StackError(Exception):
    """The stack cannot do what was asked; the message says why and, where there is a way out, which."""


class MissingProgramError(StackError):
    """A program that the stack needs is not installed."""

    def __init__(self, what: str, program: str) -> None:
        super().__init__(
            f"{what} needs `{program}`: apt-get install openjdk-17-jre-headless maven   (or with Docker: docker compose --profile deps up)"
        )


class PartError(StackError):
    """A part did not start, or died; ``tail`` holds its last log lines."""

    def __init__(self, part: str, reason: str, tail: str = "") -> None:
        super().__init__(f"{part}: {reason}" + (f"\n{tail}" if tail else ""))
        self.part = part
