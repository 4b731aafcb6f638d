"""The alerts file, as it is now."""

from __future__ import annotations

import os
from functools import partial
from typing import TypeAlias

from voc_stream.services.reloaded import ReloadedFile
from voc_stream.settings import Settings
from voc_stream.stages.alert_rules import AlertRules
from voc_stream.stages.alerts_file import AlertsFileError, parse_alerts

AlertsFile: TypeAlias = ReloadedFile[AlertRules]


def alerts_file(settings: Settings) -> AlertsFile:
    """Return ALERTS_FILE; without one there are no rules. Secrets are looked up in the environment, webhooks are https outside dev.

    Raises:
        FileError: the file cannot be used.
    """
    parse = partial(parse_alerts, environment=os.environ, https_only=settings.app_env != "dev")
    return ReloadedFile("ALERTS_FILE", settings.alerts_file, parse, AlertsFileError, AlertRules())
