"""The alerts file, as it is now."""

from __future__ import annotations

import os
from typing import TypeAlias

from voc_stream.security.secret_files import SecretFiles
from voc_stream.services.reloaded import ReloadedFile
from voc_stream.settings import Settings
from voc_stream.stages.alert_rules import AlertRules
from voc_stream.stages.alerts_file import AlertsFileError, parse_alerts

AlertsFile: TypeAlias = ReloadedFile[AlertRules]


def alerts_file(settings: Settings) -> AlertsFile:
    """Return ALERTS_FILE; without one there are no rules. Webhooks are https outside dev.

    Secrets are looked up in the environment, then in SECRETS_DIR, where a changed file counts like a change of the alerts file.

    Raises:
        FileError: the file cannot be used.
    """
    files = SecretFiles(settings.secrets_dir)

    def parse(text: str) -> AlertRules:
        return parse_alerts(text, dict(files) | dict(os.environ), https_only=settings.app_env != "dev")

    return ReloadedFile("ALERTS_FILE", settings.alerts_file, parse, AlertsFileError, AlertRules(), beside=files.stamp)
