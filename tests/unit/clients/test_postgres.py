"""What a failure of PostgreSQL means."""

from __future__ import annotations

import asyncpg
import pytest

from voc_stream.clients.postgres import outside_error, translated
from voc_stream.errors import BusyError, OutageError, OutsideError, RejectedError, TransientError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(111, "refused"), OutageError),
        (OSError("network unreachable"), OutageError),
        (asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"), OutageError),
        (asyncpg.InterfaceError("connection is closed"), OutageError),
        (asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"), OutageError),
        (asyncpg.CannotConnectNowError("starting up"), OutageError),
        (asyncpg.AdminShutdownError("terminating connection"), OutageError),
        (asyncpg.TooManyConnectionsError("too many clients"), OutageError),
        (asyncpg.DiskFullError("no space left"), OutageError),
        (asyncpg.OutOfMemoryError("out of memory"), OutageError),
        (asyncpg.InvalidPasswordError("password authentication failed"), OutageError),
        (asyncpg.InvalidCatalogNameError("database does not exist"), OutageError),
        (asyncpg.UndefinedTableError("relation does not exist"), OutageError),
        (asyncpg.InsufficientPrivilegeError("permission denied"), OutageError),
        (asyncpg.ReadOnlySQLTransactionError("read-only"), OutageError),
        (asyncpg.SerializationError("could not serialize"), TransientError),
        (asyncpg.DeadlockDetectedError("deadlock"), TransientError),
        (asyncpg.LockNotAvailableError("lock"), TransientError),
        (asyncpg.QueryCanceledError("statement timeout"), BusyError),
        (TimeoutError(), BusyError),
        (asyncpg.StringDataRightTruncationError("value too long"), RejectedError),
        (asyncpg.CharacterNotInRepertoireError("invalid byte sequence"), RejectedError),
        (asyncpg.CheckViolationError("violates check"), RejectedError),
        (asyncpg.ForeignKeyViolationError("violates foreign key"), RejectedError),
        (asyncpg.DataError("invalid input for query argument $1: 'Jane Doe'"), RejectedError),
    ],
)
def test_a_failure_says_what_to_do_and_quotes_nothing(error: Exception, kind: type[OutsideError]) -> None:
    outside = outside_error(error)
    assert type(outside) is kind
    assert outside.dependency == "postgres"
    assert "Jane Doe" not in str(outside)


def test_a_missing_table_names_the_command() -> None:
    assert "faust -A voc_stream migrate" in outside_error(asyncpg.UndefinedTableError("relation does not exist")).reason


def test_the_driver_s_errors_become_ours() -> None:
    for error in (asyncpg.InternalClientError("another operation (2) is in progress"), asyncpg.InterfaceError("connection is closed"), OSError()):
        with pytest.raises(OutageError), translated():
            raise error
