"""The version of this code; the image has no package metadata to ask."""

from __future__ import annotations

VERSION = "0.1.0"
