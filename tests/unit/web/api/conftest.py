from __future__ import annotations

import pytest

from tests.web_desk import UnitDesk, unit_desk


@pytest.fixture
def door() -> UnitDesk:
    """A desk without servers, and who may ask."""
    return unit_desk()
