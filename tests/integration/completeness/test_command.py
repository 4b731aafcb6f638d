"""`faust -A voc_stream reconcile`: what it tells, what it does, and how it ends."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.completeness.world import World
from voc_stream import reconcile
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.recordings import Recordings
from voc_stream.nlp.redaction import Redactor
from voc_stream.services.mend import Tools
from voc_stream.services.reconcile import Reconciler


def kit_of(here: World) -> Any:
    """Return what the command needs of the worker's kit; it opens and closes what is in it."""
    objects, tools = ObjectStore(here.settings), here.tools()
    of_tools = {name: getattr(tools, name) for name in ("calls", "recorder", "warehouse", "composite", "annotating", "vault", "tenants")}
    return SimpleNamespace(objects=objects, db=here.db, recordings=Recordings(here.recorder, objects), redactor=Redactor(), **of_tools)


async def run(here: World, *, redrive: bool = False) -> tuple[int, list[str]]:
    lines: list[str] = []
    code = await reconcile.run(here.settings, lines.append, kit=kit_of(here), publisher=here.tools().publisher, hours=2, redrive=redrive)
    return code, lines


async def test_gaps_are_told_then_closed_then_there_are_none(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "Reconciler", partial(Reconciler, names=here.names))
    monkeypatch.setattr(reconcile, "Tools", partial(Tools, names=here.names))
    await here.lived("1")
    await here.settle()
    await here.delete_object("1")

    code, lines = await run(here)
    assert (code, lines[-1]) == (1, "reconcile: hours=1 equations=7 gaps=1 mendable=1")
    assert "download again" in lines[1]

    code, lines = await run(here, redrive=True)
    assert (code, lines[-2]) == (0, "download again: 1")
    assert lines[-1].startswith("reconcile: redriven=1 remaining=0;")
    assert await here.value("SELECT after->>'download again' FROM audit_log WHERE action = 'reconciled'") == "1"

    code, lines = await run(here)
    assert (code, lines[-1]) == (0, "reconcile: hours=1 equations=7 gaps=0 mendable=0")


async def test_before_an_hour_is_closed_there_is_nothing_to_tell(here: World) -> None:
    code, lines = await run(here)

    assert (code, lines) == (2, ["reconcile: no hour is closed that began after the recorder was polled for the first time"])
