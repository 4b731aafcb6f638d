"""The tenants file, as it is now."""

from __future__ import annotations

from pathlib import Path

from voc_stream.services.reloaded import ReloadedFile
from voc_stream.stages.tenants import TenantMap, TenantsFileError, parse_tenants


class TenantsFile(ReloadedFile[TenantMap]):
    """TENANTS_FILE; without one every call is `unassigned`.

    Raises:
        FileError: at the start, if the file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__("TENANTS_FILE", path, parse_tenants, TenantsFileError, TenantMap())
