"""Hypothesis without a clock: how long a drawn case takes says nothing on a busy machine. In CI a run repeats: what it finds, it finds again."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("no-clock", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("no-clock")
