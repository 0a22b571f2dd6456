"""Which faults pass by themselves: what is tried again for ever, and what parks its key or is our mistake."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.kafka import KafkaError
from shared.retrying import is_passing

PASSING = [
    KafkaError(),
    OSError(),
    TimeoutError(),
    PoolTimeoutError(),
    asyncpg.InterfaceError("closed"),
    asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
    asyncpg.ConnectionDoesNotExistError(),
    asyncpg.DeadlockDetectedError(),
    asyncpg.SerializationError(),
    asyncpg.DiskFullError(),
    asyncpg.TooManyConnectionsError(),
    asyncpg.LockNotAvailableError(),
    asyncpg.AdminShutdownError(),
    asyncpg.CrashShutdownError(),
    asyncpg.CannotConnectNowError(),
    asyncpg.IdleInTransactionSessionTimeoutError(),
]
STAYING = [
    ValueError(),
    ZeroDivisionError(),
    asyncpg.UniqueViolationError(),
    asyncpg.CheckViolationError(),
    asyncpg.ForeignKeyViolationError(),
    asyncpg.InsufficientPrivilegeError(),
    asyncpg.UndefinedColumnError(),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_what_passes_is_known_also_through_sqlalchemy(error: Exception) -> None:
    assert is_passing(error)
    assert is_passing(DBAPIError("SELECT 1", {}, error))


@pytest.mark.parametrize("error", STAYING, ids=lambda error: type(error).__name__)
def test_what_would_fail_again_does_not_pass(error: Exception) -> None:
    assert not is_passing(error)
    assert not is_passing(DBAPIError("SELECT 1", {}, error))
