"""Connections to Postgres, alone or in a pool, with the codec for `jsonb`.

There may be a pooler such as PgBouncer in between. One that lends its connections for a transaction
gives each transaction any of its own connections to Postgres. So nothing here may rest on what a
session keeps: prepared statements, settings, locks. A connection that may be such a one keeps no
prepared statements; everything else is done in that way on every connection.
"""

import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import asyncpg

from db.postgres.connecting import connecting, require_utf8
from db.postgres.errors import POSTGRES_ERRORS, postgres_errors
from db.postgres.given_up import leave_no_errors
from db.postgres.sql import blocks, name_of
from schemas.fields import storable

__all__ = [
    "Connection",
    "Pool",
    "PoolWatch",
    "Pooling",
    "acquire",
    "connect",
    "open_pool",
    "postgres_errors",
]

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
    _PlainConnection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool
    _PlainConnection = asyncpg.Connection

Pooling = Literal["auto", "session", "transaction"]
"""For how long a pooler lends a connection; `auto` finds out whether there is a pooler at all."""

CONNECT_TIMEOUT_S: Final = 10.0
COMMAND_TIMEOUT_S: Final = 60.0
"""A server that disappeared without closing the connection is noticed after this time."""
POOL_SIZE: Final = 10
"""An applier does six things at once, each of which may hold a lock on one connection while it
works on another. The others are for what needs one connection, so that not all can wait for each
other."""

_SQL: Final = blocks("postgres/pool.sql")

_STARTUP_PARAMETERS: Final = {
    "application_name": "rollguard",
    # It wins over the DSN; what is sent at the start wins over the settings of the role.
    "client_encoding": "UTF8",
}
"""A pooler refuses a connection with any other one."""
_CACHED_STATEMENTS: Final = 100
_QUERIES: Final = 50_000
_IDLE_S: Final = 300.0
"""After how many queries, or how long without one, a connection is closed: asyncpg's defaults."""


leave_no_errors()


class PoolWatch(Protocol):
    """Whoever is told what is done with a pool. Its methods must not raise."""

    def opened(self, pool: Pool) -> None:
        """Take note of the pool."""

    def waited(self, seconds: float) -> None:
        """Take note of how long a connection was waited for, also if none was given."""

    def called(self, query: str, seconds: float, error: BaseException | None) -> None:
        """Take note of a query that ended (``db.postgres.sql.name_of``), and of its error."""


class _WatchedPool(Pool):
    """A pool that knows who is told what is done with it."""

    watch: PoolWatch | None = None


async def open_pool(
    dsn: str,
    *,
    size: int = POOL_SIZE,
    pooling: Pooling = "auto",
    watch: PoolWatch | None = None,
) -> Pool:
    """Open a pool of up to ``size`` connections, with one connection at the beginning.

    A statement that takes longer than ``COMMAND_TIMEOUT_S`` is Retryable. Raises Retryable if the
    server does not answer, Misconfigured if it refuses, if ``dsn`` is not a Postgres address, or if
    the database is not UTF8. No error shows the user or the password. ``watch`` is told what is
    done with the pool.
    """
    is_shared = pooling == "transaction" or (pooling == "auto" and await _has_pooler(dsn))
    pool = _WatchedPool(
        dsn,
        min_size=0,  # asyncpg logs a traceback for each failure to keep more
        max_size=size,
        max_queries=_QUERIES,
        max_inactive_connection_lifetime=_IDLE_S,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        connect=partial(_connect, is_shared=is_shared, watch=watch),
        reset=_nothing_to_reset,  # nothing is kept in a session
        command_timeout=COMMAND_TIMEOUT_S,
    )
    pool.watch = watch
    await pool
    async with acquire(pool):
        if watch is not None:
            watch.opened(pool)
        return pool


@asynccontextmanager
async def acquire(pool: Pool) -> AsyncIterator[Connection]:
    """Take a connection out of the pool, and give it back at the end.

    Raises Retryable if none is free for ``CONNECT_TIMEOUT_S`` or if a new one cannot be made, and
    Misconfigured as ``open_pool``. Errors of the body pass unchanged. Giving the connection back
    raises nothing: a broken one is ended.
    """
    watch = pool.watch if isinstance(pool, _WatchedPool) else None
    began = perf_counter()
    try:
        with postgres_errors():
            connection = await pool.acquire(timeout=CONNECT_TIMEOUT_S)
    finally:
        if watch is not None:
            watch.waited(perf_counter() - began)
    try:
        yield connection
    finally:
        with suppress(*POSTGRES_ERRORS):
            await pool.release(connection)


async def connect(dsn: str) -> Connection:
    """Open a single connection whose statements may take any time, as migrations do.

    Raises what ``open_pool`` raises.
    """
    return await _connect(dsn, is_shared=True)


async def _connect(
    dsn: str, *, is_shared: bool, watch: PoolWatch | None = None, **options: Any
) -> "asyncpg.Connection[asyncpg.Record]":
    """Open a connection; one that a pooler may lend for a transaction keeps no statements."""
    with connecting(dsn, CONNECT_TIMEOUT_S):
        options |= {
            "timeout": CONNECT_TIMEOUT_S,
            "server_settings": _STARTUP_PARAMETERS,
            "statement_cache_size": 0 if is_shared else _CACHED_STATEMENTS,
            "connection_class": _WatchedConnection,
        }
        connection: _WatchedConnection = await asyncpg.connect(dsn, **options)
        try:
            require_utf8(connection, dsn)
            await connection.set_type_codec(
                "jsonb", schema="pg_catalog", encoder=to_jsonb, decoder=json.loads, format="text"
            )
            if is_shared:  # after the codec, which makes asyncpg forget the types
                await _learn_types(connection)
            if watch is not None:
                connection.watch = watch
                connection.add_query_logger(partial(_tell, watch))
        except BaseException:
            connection.terminate()
            raise
        return connection


async def _learn_types(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Let asyncpg ask for the types that it does not know, in one transaction.

    It changes the setting `jit` of the session while it asks. Outside a transaction, a pooler could
    give that change to one of its connections, and the end of the change to another one.
    """
    async with connection.transaction():
        await connection.fetch(_SQL["types"])


async def _has_pooler(dsn: str) -> bool:
    """Return whether there is a pooler: it answers with a process id of its own."""
    connection = await connect(dsn)
    try:
        with postgres_errors():
            process_id: int = await connection.fetchval(_SQL["process_id"])
            return process_id != connection.get_server_pid()
    finally:
        connection.terminate()


class _WatchedConnection(_PlainConnection):
    """A connection that also tells of copies, which asyncpg does not tell its loggers."""

    watch: PoolWatch | None = None

    async def copy_records_to_table(self, table_name: str, **options: Any) -> str:
        """Copy records into a table."""
        error: BaseException | None = None
        began = perf_counter()
        try:
            return await super().copy_records_to_table(table_name, **options)
        except BaseException as raised:
            error = raised
            raise
        finally:
            if self.watch is not None:
                self.watch.called(f"copy.{table_name}", perf_counter() - began, error)


def _tell(watch: PoolWatch, done: "LoggedQuery") -> None:
    watch.called(name_of(done.query), done.elapsed, done.exception)


async def _nothing_to_reset(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    return


def to_jsonb(value: Any) -> str:
    """Return ``value`` as JSON that the type ``jsonb`` accepts, whatever it contains.

    NUL becomes U+2400, a lone surrogate U+FFFD, NaN and the infinities null. Types that JSON does
    not have (times, UUIDs, decimals) become their text.
    """
    return json.dumps(_clean(value), allow_nan=False, default=str)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {storable(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
