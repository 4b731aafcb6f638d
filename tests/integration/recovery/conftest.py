"""A contact centre for each of these tests: they drop its databases."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import _OWN_STACKS
from tests.integration.pipeline.pipeline import TENANTS, Workshop
from tests.integration.recovery.centre import Centre
from voc_stream.devstack.folder import StackFolder
from voc_stream.devstack.stack import Stack


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    _OWN_STACKS.mkdir(exist_ok=True)
    own = Stack(Path(tempfile.mkdtemp(prefix="run-", dir=_OWN_STACKS)), any_ports=True, recorder_args=("--calls", "0"))
    folder = tmp_path_factory.mktemp("recovery")
    workshop = Workshop(own, folder)
    workshop.tenants_file.write_text(TENANTS)
    try:
        with own:
            yield Centre(workshop, folder)
            workshop.close()
    finally:
        workshop.close()
        StackFolder(own.folder).remove()
