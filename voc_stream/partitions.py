"""`faust -A voc_stream partitions`: how many there are and should be; `--apply` lets them grow while all workers stand still (docs/partitions.md)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import click

from voc_stream.clients.growth_store import GrowthStore, OpenGrowth
from voc_stream.clients.kafka_sender import KafkaSender
from voc_stream.clients.partition_admin import PartitionAdmin, partition_admin
from voc_stream.clients.postgres import Database
from voc_stream.clients.topic_reader import TopicReader
from voc_stream.dlq import actor
from voc_stream.errors import OutsideError
from voc_stream.services.carrying import Carrying
from voc_stream.services.growing import Growing, steps_after
from voc_stream.settings import Settings
from voc_stream.stages.growth import Growth, GrowthRefusedError, plan
from voc_stream.topics import CALLS, EVENTS, RECORDINGS, Family, families

Echo = Callable[[str], None]

OPTIONS = (
    click.option("--family", "names", multiple=True, type=click.Choice([CALLS, RECORDINGS, EVENTS]), help="Only these topics; may be given again."),
    click.option("--apply", is_flag=True, help="Do it; otherwise only tell."),
)


@dataclass(frozen=True, slots=True)
class _Tools:
    admin: PartitionAdmin
    store: GrowthStore
    growing: Growing
    echo: Echo


async def run(settings: Settings, echo: Echo, *, names: Sequence[str] = (), apply: bool = False) -> int:
    """Compare the topics with KAFKA_CALL_PARTITIONS, KAFKA_RECORDING_PARTITIONS and KAFKA_EVENT_PARTITIONS, and let them grow.

    Args:
        settings: KAFKA_*, POSTGRES_*.
        echo: takes each line of the report.
        names: of families; none: all.
        apply: do it.

    Returns:
        0: all is as the settings say; 1: something is to be done, or forbidden; 2: a server failed, the same again goes on.
    """
    try:
        async with _opened(settings, echo) as tools, tools.store.locked():
            open_ones = {growth.family: growth for growth in await tools.store.open()}
            chosen = [family for family in families(settings) if not names or family.name in names]
            codes = [await _one(tools, family, open_ones.get(family.name), apply=apply) for family in chosen]
    except OutsideError as error:
        echo(f"{error}; the same command goes on")
        return 2
    return max(codes)


async def _one(tools: _Tools, family: Family, unfinished: OpenGrowth | None, *, apply: bool) -> int:
    try:
        counts = await tools.admin.counts(family.topics)
        if unfinished is not None and (unfinished.step or not apply):
            return await _resume(tools, family, unfinished, apply=apply)
        if unfinished is not None:
            await tools.store.withdraw(unfinished)  # killed before it was known whether it may begin
        growth = plan(family.name, family.setting, family.partitions, counts, sources=family.sources, changelog=family.changelog)
        if growth is None:
            tools.echo(f"{family.name}: {family.partitions} partitions, as {family.setting} says")
            return 0
        return await _grow(tools, family, growth) if apply else await _told(tools, family, growth)
    except GrowthRefusedError as refusal:
        tools.echo(str(refusal))
        return 1


async def _told(tools: _Tools, family: Family, growth: Growth) -> int:
    tools.echo(f"{family.name}: {growth.before} partitions, {family.setting} is {growth.after}; would grow {', '.join(growth.smaller)}")
    if family.changelog in growth.smaller:
        tools.echo(f"{family.name}: would carry the rows of {family.changelog} over to the partitions {growth.before} to {growth.after - 1}")
    for line in await tools.growing.obstacles(family, growth.before):
        tools.echo(f"{family.name}: not now: {line}")
    tools.echo(f"{family.name}: nothing altered; --apply does it")
    return 1


async def _grow(tools: _Tools, family: Family, growth: Growth) -> int:
    # Nothing is written down for what would be refused at once.
    if lines := await tools.growing.obstacles(family, growth.before):
        for line in lines:
            tools.echo(f"{family.name}: not now: {line}")
        tools.echo(f"{family.name}: nothing altered")
        return 1
    began = time.monotonic()
    tools.echo(f"{family.name}: growing from {growth.before} to {growth.after} partitions; no worker may start until this is finished")
    await tools.growing.go_on(await tools.growing.begin(family, growth), family)
    tools.echo(f"{family.name}: grown from {growth.before} to {growth.after} partitions in {time.monotonic() - began:.1f} s")
    return 0


async def _resume(tools: _Tools, family: Family, unfinished: OpenGrowth, *, apply: bool) -> int:
    if family.partitions != unfinished.after:
        tools.echo(f"{family.name}: growing to {unfinished.after} is unfinished: set {family.setting}={unfinished.after} and go on with --apply")
        return 1
    left = ", ".join(steps_after(unfinished.step)) or "the end"
    tools.echo(f"{family.name}: growing from {unfinished.before} to {unfinished.after} is unfinished; still to do: {left}")
    if not apply:
        return 1
    await tools.growing.go_on(unfinished, family)
    tools.echo(f"{family.name}: grown from {unfinished.before} to {unfinished.after} partitions")
    return 0


@asynccontextmanager
async def _opened(settings: Settings, echo: Echo) -> AsyncIterator[_Tools]:
    db, sender = Database(settings), KafkaSender(settings)
    async with AsyncExitStack() as opened:
        opened.push_async_callback(db.close)
        opened.push_async_callback(sender.close)
        admin = await opened.enter_async_context(partition_admin(settings))
        reader = await opened.enter_async_context(TopicReader(settings))
        store = GrowthStore(db)
        growing = Growing(
            settings=settings,
            admin=admin,
            reader=reader,
            store=store,
            carrying=Carrying(settings, reader, sender),
            echo=echo,
            actor=actor(),
        )
        yield _Tools(admin, store, growing, echo)
