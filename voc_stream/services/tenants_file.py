"""The tenants file, read again when it changes; a broken one is reported and the last good one stays."""

from __future__ import annotations

from pathlib import Path

from voc_stream.logs import get_logger
from voc_stream.stages.tenants import TenantMap, TenantsFileError, parse_tenants

logger = get_logger(__name__)


class TenantsFile:
    """Where the tenants come from; without a file every call is `unassigned`.

    Raises:
        TenantsFileError: at the start, if the file cannot be used; the message names TENANTS_FILE.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp = self._stamped()
        self._map = TenantMap() if path is None else _read(path)

    def current(self) -> TenantMap:
        """Return the mapping as the file has it now."""
        stamp = self._stamped()
        if self._path is not None and stamp != self._stamp:
            self._stamp = stamp
            try:
                self._map = _read(self._path)
            except TenantsFileError as error:
                logger.error("the tenants file cannot be used: the last good one stays", reason=str(error))
            else:
                logger.info("the tenants file was read again", services=len(self._map.services), skills=len(self._map.skills))
        return self._map

    def _stamped(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size) if found else None


def _read(path: Path) -> TenantMap:
    try:
        return parse_tenants(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, TenantsFileError) as error:
        raise TenantsFileError(f"TENANTS_FILE {path}: {error}") from None
