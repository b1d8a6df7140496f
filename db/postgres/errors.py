"""The errors of Postgres, translated into what the caller has to do about them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from schemas.errors import Locked, Misconfigured, Retryable, RollguardError

POSTGRES_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # TimeoutError is one too
)
"""Everything that a call to Postgres may raise."""

_RETRYABLE_CLASSES: Final = (
    "08",  # connection lost
    "40",  # serialization failure, deadlock
    "53",  # disk full, out of memory, too many connections
    "57P",  # the server stops, starts or recovers
)
_RETRYABLE_STATES: Final = frozenset(
    {
        "25006",  # read only: a replica, after a failover
        "25P03",  # idle in transaction for too long
        "25P04",  # transaction too long
        "57014",  # statement timeout
    }
)
_NOT_GRANTED: Final = "55P03"
"""A lock was not granted in time."""
_LOST_STATEMENTS: Final = frozenset({"26000", "42P05"})
"""A prepared statement is unknown, or known already: it was prepared on another session."""
_POOLER_ERRORS: Final = "08P01"
"""PgBouncer gives this state to all of its own errors; most of them pass."""
_POOLER_REFUSES: Final = re.compile(
    r"unsupported startup parameter|authentication failed|does not exist|no such (database|user)"
)
_IDEMPOTENCY_KEYS: Final = frozenset({"deployments_pkey", "rollbacks_pkey", "tool_executions_pkey"})
"""If one of these is violated, another connection has just stored the same id: the next try finds
it."""
_NOT_MIGRATED: Final = frozenset({"42P01", "42703"})
"""Undefined table, undefined column."""
_REFUSED_CLASSES: Final = ("28", "3D")
"""Wrong user or password; no such database."""
_REFUSED_STATES: Final = frozenset({"42501"})
"""The user lacks a privilege."""

_LOST: Final = OSError | asyncpg.InternalClientError
"""asyncpg raises the second one between the last message of the server and the end of the
connection."""

_GONE: Final = re.compile(r"\bclos(ed|ing)\b|released back to the pool")
"""asyncpg has no error class for a connection or a pool that is closed. A pool takes a lost
connection back while it is still being used."""


@contextmanager
def postgres_errors() -> Iterator[None]:
    """Raise Retryable or Misconfigured instead of the errors of Postgres and of the network.

    Retryable: connection errors, timeouts, deadlocks, locks that were not granted in time, a server
    that stops, is full or is read-only. Try again on a newly acquired connection. Misconfigured: a
    schema that is not migrated, a user, password or database that the server does not accept. Every
    other error passes, because it is a bug of this program.
    """
    try:
        yield
    except POSTGRES_ERRORS as error:
        translated = translate(error)
        if translated is None:
            raise
        raise translated from error


def _follows_loss(error: Exception) -> bool:
    """Whether the error was raised by the rollback of a transaction on a lost connection.

    asyncpg then complains that another operation is in progress: it means the one that was cut off.
    """
    cause = error.__context__
    return isinstance(cause, POSTGRES_ERRORS) and isinstance(translate(cause), Retryable)


def translate(error: Exception) -> RollguardError | None:
    """Return the error of this program that stands for ``error``; None if there is none."""
    text = str(error) or (
        "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    )
    if isinstance(error, _LOST | asyncpg.InvalidCachedStatementError):  # a migration ran meanwhile
        return Retryable("Postgres", text)
    if isinstance(error, asyncpg.InterfaceError):
        return Retryable("Postgres", text) if _GONE.search(text) or _follows_loss(error) else None
    state = getattr(error, "sqlstate", None) or ""
    if state in _LOST_STATEMENTS:
        return Misconfigured(
            "a pooler lends connections to Postgres for one transaction: set "
            f"ROLLGUARD_POSTGRES_POOLING=transaction ({text})"
        )
    if state == _POOLER_ERRORS and _POOLER_REFUSES.search(text):
        return Misconfigured(f"Postgres refuses: {text}")
    if state == _NOT_GRANTED:
        return Locked(text)
    if state.startswith(_RETRYABLE_CLASSES) or state in _RETRYABLE_STATES:
        return Retryable("Postgres", text)
    if state == "23505" and getattr(error, "constraint_name", None) in _IDEMPOTENCY_KEYS:
        return Retryable("Postgres", text)
    if state in _NOT_MIGRATED:
        return Misconfigured("the schema is not migrated: run `rollguard migrate`")
    if state.startswith(_REFUSED_CLASSES) or state in _REFUSED_STATES:
        return Misconfigured(f"Postgres refuses: {text}")
    return None
