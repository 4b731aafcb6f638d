"""What a capacity costs, at the user's own prices: none is known here."""

from __future__ import annotations

from dataclasses import dataclass, fields

from voc_stream.capacity.model import HOURS_A_MONTH, Capacity


@dataclass(frozen=True, slots=True)
class Prices:
    """Unit prices in one currency; None where the user gave none.

    Attributes:
        core_hour: of a core.
        memory_gib_hour: of memory, where it is not in the core's price.
        disk_gib_month: of Kafka's, ClickHouse's and the workers' volumes.
        object_gib_month: of the bucket's first storage class.
        archive_gib_month: of the archive.
        thousand_puts: of requests that write objects.
    """

    core_hour: float | None = None
    memory_gib_hour: float | None = None
    disk_gib_month: float | None = None
    object_gib_month: float | None = None
    archive_gib_month: float | None = None
    thousand_puts: float | None = None


def units_a_month(capacity: Capacity) -> Prices:
    """Return how many units of each price a month takes; none is None."""
    return Prices(
        core_hour=capacity.cores * HOURS_A_MONTH,
        memory_gib_hour=capacity.memory_gib * HOURS_A_MONTH,
        disk_gib_month=capacity.disk_gib,
        object_gib_month=capacity.objects_gib,
        archive_gib_month=capacity.archive_gib,
        thousand_puts=capacity.puts_a_month / 1000,
    )


def cost_a_month(capacity: Capacity, prices: Prices) -> tuple[float | None, list[str]]:
    """Return what a month costs of what has a price, None where nothing has, and the names of what has none."""
    units = units_a_month(capacity)
    names = [field.name for field in fields(Prices)]
    priced = [name for name in names if getattr(prices, name) is not None]
    cost = sum(getattr(units, name) * getattr(prices, name) for name in priced)
    return (cost if priced else None), [name for name in names if name not in priced]
