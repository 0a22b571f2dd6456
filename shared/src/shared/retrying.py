"""Which faults pass by themselves, and how often to try again meanwhile."""

import asyncpg
import stamina
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.kafka import KafkaError

_PASSING_CLASSES = ("08", "40", "53")
"""Connection trouble, deadlocks and failed serializations, a full disk or too many connections."""
_PASSING_STATES = ("25P03", "55P03", "57P01", "57P02", "57P03")
"""Idle too long, a lock not to be had in time, a server that stops or starts."""
LINE_LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg says of a line that was cut while it was used: it may be out of step with itself."""


def is_passing(error: BaseException) -> bool:
    """Whether the same work can succeed later with nothing changed: the database or the network was away."""
    if isinstance(error, KafkaError):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_passing(error.orig))
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return state.startswith(_PASSING_CLASSES) or state in _PASSING_STATES
    return isinstance(error, (OSError, TimeoutError, PoolTimeoutError, *LINE_LOST))


until_it_passes = stamina.AsyncRetryingCaller(
    attempts=None, timeout=None, wait_initial=0.1, wait_max=5.0, wait_jitter=0.5
).on(is_passing)
"""`await until_it_passes(work, argument)`; an error that does not pass comes through at once."""
