"""Hypothesis without a clock: how long a drawn case takes says nothing on a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("no-clock", deadline=None)
settings.load_profile("no-clock")
