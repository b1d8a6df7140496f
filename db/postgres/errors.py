"""Postgres' errors, by what the one who catches them has to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from schemas.errors import Misconfigured, Retryable, RollguardError

POSTGRES_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # TimeoutError is one too
)
"""All that a call to Postgres may raise."""

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
        "55P03",  # a lock was not granted in time
        "57014",  # statement timeout
    }
)
_IDEMPOTENCY_KEYS: Final = frozenset({"deployments_pkey", "rollbacks_pkey", "tool_executions_pkey"})
"""The same id was stored by another connection just now: the next try finds it."""
_NOT_MIGRATED: Final = frozenset({"42P01", "42703"})
"""Undefined table, undefined column."""
_REFUSED_CLASSES: Final = ("28", "3D")
"""Wrong user or password; no such database."""
_REFUSED_STATES: Final = frozenset({"42501"})
"""The user lacks a privilege."""

_LOST: Final = OSError | asyncpg.InternalClientError
"""The second is what asyncpg says between the server's farewell and the end of the connection."""

_GONE: Final = re.compile(r"\bclos(ed|ing)\b|released back to the pool")
"""asyncpg has no class of its own for a connection or a pool that is closed; a pool takes back a
connection that is lost, under the hands of its user."""


@contextmanager
def postgres_errors() -> Iterator[None]:
    """Raise Retryable or Misconfigured in place of the errors of Postgres and of the way to it.

    Retryable: connection errors, timeouts, deadlocks, locks not granted in time, a server that
    stops, is full or read-only; try again, on a connection acquired anew. Misconfigured: a schema
    that is not migrated, a user, password or database that the server does not accept. Everything
    else propagates: it is a bug of ours.
    """
    try:
        yield
    except POSTGRES_ERRORS as error:
        translated = translate(error)
        if translated is None:
            raise
        raise translated from error


def _follows_loss(error: Exception) -> bool:
    """Whether it was raised while a transaction was rolled back on a connection that is lost:
    asyncpg then complains of the operation that was cut off, which it takes to be under way.
    """
    cause = error.__context__
    return isinstance(cause, POSTGRES_ERRORS) and isinstance(translate(cause), Retryable)


def translate(error: Exception) -> RollguardError | None:
    """What Rollguard calls this error; None if it has no name for it."""
    text = str(error) or type(error).__name__
    if isinstance(error, _LOST | asyncpg.InvalidCachedStatementError):  # a migration ran meanwhile
        return Retryable("Postgres", text)
    if isinstance(error, asyncpg.InterfaceError):
        return Retryable("Postgres", text) if _GONE.search(text) or _follows_loss(error) else None
    state = getattr(error, "sqlstate", None) or ""
    if state.startswith(_RETRYABLE_CLASSES) or state in _RETRYABLE_STATES:
        return Retryable("Postgres", text)
    if state == "23505" and getattr(error, "constraint_name", None) in _IDEMPOTENCY_KEYS:
        return Retryable("Postgres", text)
    if state in _NOT_MIGRATED:
        return Misconfigured("the schema is not migrated: run `rollguard migrate`")
    if state.startswith(_REFUSED_CLASSES) or state in _REFUSED_STATES:
        return Misconfigured(f"Postgres refuses: {text}")
    return None
