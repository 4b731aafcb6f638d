"""RocksDB under our tables: what is damaged is thrown away and read again from the changelog; without room on the disk it is waited.

Faust chooses this class by the name `rocksdb`, see `factory.py`. RocksDB raises bare exceptions: their text is all there is to tell them apart.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import rocksdict
from faust.stores import rocksdb
from faust.types import TP

from voc_stream.errors import OutageError
from voc_stream.logs import get_logger

logger = get_logger(__name__)

STATE = "state"
"""The dependency's name, as in metrics and `/readyz`."""

ROOM_SECONDS = 5.0
_NO_ROOM = ("No space left on device", "Disk quota exceeded", "File too large")
_LOCKED = ("lock hold by",)
# What a new folder would not mend.
_NOT_DAMAGE = ("Permission denied", "Read-only file system", "Too many open files", "Cannot allocate memory")


class StateError(Exception):
    """A table's folder cannot be used; the message is one line that says why and how to go on."""


class Store(rocksdb.Store):
    """The RocksDB folders of a table, one a partition."""

    @contextmanager
    def guarded(self, partition: int) -> Iterator[Any]:
        """Lend the RocksDB of a partition.

        Raises:
            OutageError: there is no room; nothing is damaged, and it is opened anew when it is asked for again.
            StateError: it cannot be read or written; at the next start it is made anew from the changelog.
        """
        try:
            yield self._db_for_partition(partition)
        except Exception as error:
            if not (type(error) is Exception or isinstance(error, rocksdict.DbClosedError)):
                raise
            if _says(error, (*_NO_ROOM, *_LOCKED)):
                self._close(partition)
                raise OutageError(STATE, "no space is left below STATE_DIR") from error
            path = self.partition_path(partition)
            with suppress(OSError):  # without a folder there is nothing to throw away
                _mark(path).touch()
            raise self._refused(path, error, "it is made anew from the changelog at the next start") from error

    def restore(self, tp: TP, records: Sequence[Any]) -> None:
        """Apply records of the changelog at once, and note how far it was read.

        Args:
            tp: the changelog's partition.
            records: in order of offset, never empty; without a value a row is removed.

        Raises:
            OutageError: there is no room; nothing was applied.
            StateError: RocksDB cannot be written.
        """
        batch = rocksdict.WriteBatch(raw_mode=True)
        for record in records:
            if record.value is None:
                batch.delete(record.key)
            else:
                batch.put(record.key, record.value)
        batch.put(self.offset_key, str(records[-1].offset).encode())
        with self.guarded(tp.partition) as rows:
            rows.write(batch)

    def persisted_offset(self, tp: TP) -> int | None:
        """Return how far the changelog was read, None for an empty table."""
        with self.guarded(tp.partition) as rows:
            offset = rows.get(self.offset_key)
        return None if offset is None else int(offset)

    def rows(self) -> int:
        """Return about how many rows the open partitions have."""
        return self._sum("rocksdb.estimate-num-keys")

    def octets(self) -> int:
        """Return how many bytes they take, in files and in memory."""
        return self._sum("rocksdb.total-sst-files-size") + self._sum("rocksdb.cur-size-all-mem-tables")

    def _sum(self, figure: str) -> int:
        return sum(int(rows.property_int_value(figure) or 0) for rows in self._dbs.values())

    async def _try_open_db_for_partition(self, partition: int, *args: Any, generation_id: int = 0, **kwargs: Any) -> Any:
        while True:
            try:
                return await super()._try_open_db_for_partition(partition, *args, generation_id=generation_id, **kwargs)
            except OutageError as error:
                logger.warning("a table cannot be opened yet", table=self.table_name, partition=partition, reason=error.reason)
            await self.sleep(ROOM_SECONDS)
            if generation_id != self.app.consumer_generation_id or self.app.should_stop:
                return None

    def _open_for_partition(self, partition: int) -> Any:
        path = self.partition_path(partition)
        if _mark(path).exists():
            _discard(path, "it could not be read or written")
        try:
            return super()._open_for_partition(partition)
        except Exception as error:
            if _says(error, _LOCKED):
                raise
            if _says(error, _NO_ROOM):
                raise OutageError(STATE, "no space is left below STATE_DIR") from error
            if _says(error, _NOT_DAMAGE):
                raise self._refused(path, error, "the worker must be able to use STATE_DIR") from error
            _discard(path, str(error))
        return super()._open_for_partition(partition)

    def _close(self, partition: int) -> None:
        """Close a partition: after a write that found no room RocksDB refuses all others until it is opened again."""
        rows = self._dbs.pop(partition, None)
        if rows is not None:
            with suppress(Exception):  # it tells once more that there is no room
                rows.close()

    def _refused(self, path: Path, error: Exception, how_to_go_on: str) -> StateError:
        logger.error("the worker ends: its state cannot be used", folder=path.name, reason=str(error), then=how_to_go_on)
        return StateError(f"{path.name} cannot be used ({error}); {how_to_go_on}")


def _says(error: Exception, words: Sequence[str]) -> bool:
    return any(word in str(error) for word in words)


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.damaged")


def _discard(path: Path, reason: str) -> None:
    logger.warning("a table's folder is damaged: it is made anew from the changelog", folder=path.name, reason=reason)
    shutil.rmtree(path, ignore_errors=True)
    _mark(path).unlink(missing_ok=True)
