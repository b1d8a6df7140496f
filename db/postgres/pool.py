"""Connections to Postgres, and what every one of them can do."""

import json
import math
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

import asyncpg

from db.postgres.errors import POSTGRES_ERRORS, postgres_errors
from schemas.errors import Misconfigured, Retryable
from schemas.fields import storable

__all__ = ["Connection", "Pool", "acquire", "connect", "open_pool", "postgres_errors"]

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

CONNECT_TIMEOUT_S: Final = 10.0
COMMAND_TIMEOUT_S: Final = 60.0
"""A server that is gone without a word is noticed after so long."""

_SERVER_SETTINGS: Final = {
    "application_name": "rollguard",
    # A machine that is gone without a word gives its tools' locks back after half a minute.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
}

_T = TypeVar("_T")


async def open_pool(dsn: str, *, size: int = 4) -> Pool:
    """Open a pool of up to ``size`` connections; one is made at once.

    No statement takes longer than ``COMMAND_TIMEOUT_S``. Raises Retryable while the server does
    not answer, Misconfigured if it refuses or ``dsn`` is none. No error shows the DSN.
    """

    async def opened() -> Pool:
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            init=_init,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings=_SERVER_SETTINGS,
        )

    return await _reached(opened(), dsn)


@asynccontextmanager
async def acquire(pool: Pool) -> AsyncIterator[Connection]:
    """A connection of the pool for a while; errors of the body pass as they are.

    Raises Retryable if none is free for ``CONNECT_TIMEOUT_S`` or a new one cannot be made. Giving
    it back raises nothing: one that is broken is ended.
    """
    with postgres_errors():
        connection = await pool.acquire(timeout=CONNECT_TIMEOUT_S)
    try:
        yield connection
    finally:
        with suppress(*POSTGRES_ERRORS):
            await pool.release(connection)


async def connect(dsn: str) -> Connection:
    """Open a single connection, without a limit to its statements' time: for migrations.

    Raises as :func:`open_pool`.
    """

    async def opened() -> Connection:
        connection = await asyncpg.connect(
            dsn, timeout=CONNECT_TIMEOUT_S, server_settings=_SERVER_SETTINGS
        )
        await _init(connection)
        return connection

    return await _reached(opened(), dsn)


async def _reached(opening: Awaitable[_T], dsn: str) -> _T:
    try:
        with postgres_errors():
            try:
                return await opening
            except ssl.SSLCertVerificationError as error:  # a ValueError too
                text = f"Postgres at {_address_of(dsn)} is not trusted: {error.verify_message}"
                raise Misconfigured(text) from None
            except FileNotFoundError:  # a socket's, of a server that is away, or a certificate's
                _require_tls_files(dsn)
                raise
            except ssl.SSLError as error:
                raise Misconfigured(f"TLS to Postgres at {_address_of(dsn)}: {error}") from None
            except ValueError:  # of reading the DSN; its text may hold the password
                raise Misconfigured("ROLLGUARD_POSTGRES_DSN is not a Postgres address") from None
    except Retryable as error:
        raise Retryable(error.part, f"{_address_of(dsn)}: {error.cause}") from error


def _require_tls_files(dsn: str) -> None:
    """Misconfigured that names the first file of the DSN that is not there."""
    given = parse_qs(urlsplit(dsn).query)
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        for path in given.get(name, ()):
            if not Path(path).exists():
                raise Misconfigured(f"ROLLGUARD_POSTGRES_DSN: {name}={path} is not there")


def _address_of(dsn: str) -> str:
    """Where the DSN leads, without user and password."""
    parts = urlsplit(dsn)
    where = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", ["local"])[0]
    return f"{where}{parts.path}"


async def _init(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=to_jsonb, decoder=json.loads, format="text"
    )


def to_jsonb(value: Any) -> str:
    """JSON that ``jsonb`` takes, whatever ``value`` holds.

    NUL becomes U+2400, a lone surrogate U+FFFD, NaN and the infinities null; what JSON does not
    know (times, UUIDs, decimals) its text.
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
