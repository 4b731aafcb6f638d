"""The rows of the ledger of windows: which offsets a window holds, and who claimed the partition (docs/adr/0012).

A row's key names partition, claim and first offset, so that nobody ever overwrites what another wrote: a former owner that wakes up
late adds rows, and `history.py` tells which count.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

# What an id and its offset take in a row; rows stay below the broker's 1 MiB.
DIGEST_BYTES = 16
DELTA_BYTES = 4

Digests: TypeAlias = NDArray[np.uint64]
"""Two words an id: shape (n, 2)."""
Offsets: TypeAlias = NDArray[np.int64]


class Place(NamedTuple):
    """A partition of a topic, and of which incarnation: a topic made anew begins at 0 again."""

    incarnation: str
    topic: str
    partition: int

    @property
    def prefix(self) -> bytes:
        """How the keys of its rows begin."""
        return f"{self.incarnation}:{self.topic}:{self.partition}:".encode()

    def token(self, first: int, last: int) -> str:
        """Return the name under which a window's insert is known to ClickHouse."""
        return f"{self.incarnation}:{self.topic}:{self.partition}:{first}-{last}"

    def __str__(self) -> str:
        """Name it as messages do."""
        return f"{self.topic}[{self.partition}]"


class ClaimId(NamedTuple):
    """Who wrote a row. Claims made from the same rows have the same epoch; Kafka's generation then tells who came later."""

    epoch: int
    generation: int


class Span(NamedTuple):
    """A known range: the claim under which its row was written, and its offsets, both inclusive."""

    claim: ClaimId
    first: int
    last: int


class Claim(msgspec.Struct, frozen=True, array_like=True, tag="claim"):
    """Somebody took the partition over at `position` and answers for the ranges that it adopted."""

    id: ClaimId
    position: int
    adopted: tuple[Span, ...]

    def key(self, place: Place) -> bytes:
        """Return the row's key."""
        return place.prefix + f"{self.id.epoch}.{self.id.generation}:claim".encode()


class _Accepted(msgspec.Struct, frozen=True, array_like=True):
    """Which records of some offsets were accepted.

    Attributes:
        claim: who wrote the row.
        first: offset, inclusive.
        last: offset, inclusive.
        processed_ms: when the window was formed, in milliseconds of the epoch; its rows in ClickHouse carry the same.
        deltas: offsets of the accepted records less `first`, four bytes each, little-endian, ascending.
        digests: of the accepted records' ids, sixteen bytes each, in the same order.
    """

    claim: ClaimId
    first: int
    last: int
    processed_ms: int
    deltas: bytes
    digests: bytes

    @property
    def offsets(self) -> Offsets:
        """Return the offsets of the accepted records."""
        return np.frombuffer(self.deltas, dtype="<u4").astype(np.int64) + self.first

    @property
    def ids(self) -> Digests:
        """Return the digests of the accepted records."""
        return np.frombuffer(self.digests, dtype="<u8").reshape(-1, 2)


class Range(_Accepted, frozen=True, array_like=True, tag="range"):
    """A window: offsets `first` to `last`, and what became of its records; those it does not name were duplicates.

    Attributes:
        moved: which of `deltas` went to the overflow topic instead of ClickHouse.
        refused: offsets less `first` of the records that became dead letters.
        split: whether ClickHouse refused the window as a whole, so that it is inserted in parts.
    """

    moved: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()
    split: bool = False

    @property
    def span(self) -> Span:
        """Return what a claim that adopts it writes down."""
        return Span(self.claim, self.first, self.last)

    def key(self, place: Place) -> bytes:
        """Return the row's key."""
        return place.prefix + f"{self.claim.epoch}.{self.claim.generation}:{self.first}".encode()


class Seen(_Accepted, frozen=True, array_like=True, tag="seen"):
    """The ids of several old windows in one row: they are stored and committed, so that nothing else of them matters."""

    def key(self, place: Place) -> bytes:
        """Return the row's key."""
        return place.prefix + f"{self.claim.epoch}.{self.claim.generation}:seen:{self.first}".encode()


Row: TypeAlias = Claim | Range | Seen

_decode = msgspec.msgpack.Decoder(Row).decode
encode_row = msgspec.msgpack.Encoder().encode


def decode_row(value: bytes) -> Row:
    """Read a row.

    Raises:
        msgspec.DecodeError: it is none of ours.
    """
    row: Row = _decode(value)
    return row
