"""Connections to Postgres, alone or in a pool, with the codec for `jsonb`."""

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
"""A server that disappeared without closing the connection is noticed after this time."""

_SERVER_SETTINGS: Final = {
    "application_name": "rollguard",
    # If a machine disappears, Postgres releases the locks of its tools after half a minute.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
}

_T = TypeVar("_T")


async def open_pool(dsn: str, *, size: int = 4) -> Pool:
    """Open a pool of up to ``size`` connections, with one connection at the beginning.

    A statement that takes longer than ``COMMAND_TIMEOUT_S`` is Retryable. Raises Retryable if the
    server does not answer, Misconfigured if it refuses or if ``dsn`` is not a Postgres address. No
    error shows the DSN.
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
    """Take a connection out of the pool, and give it back at the end.

    Raises Retryable if none is free for ``CONNECT_TIMEOUT_S`` or if a new one cannot be made.
    Errors of the body pass unchanged. Giving the connection back raises nothing: a broken one is
    ended.
    """
    with postgres_errors():
        connection = await pool.acquire(timeout=CONNECT_TIMEOUT_S)
    try:
        yield connection
    finally:
        with suppress(*POSTGRES_ERRORS):
            await pool.release(connection)


async def connect(dsn: str) -> Connection:
    """Open a single connection whose statements may take any time, as migrations do.

    Raises what ``open_pool`` raises.
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
            except FileNotFoundError:  # the socket of a stopped server, or a certificate
                _require_tls_files(dsn)
                raise
            except ssl.SSLError as error:
                raise Misconfigured(f"TLS to Postgres at {_address_of(dsn)}: {error}") from None
            except ValueError:  # raised while the DSN is read; its text may contain the password
                raise Misconfigured("ROLLGUARD_POSTGRES_DSN is not a Postgres address") from None
    except Retryable as error:
        raise Retryable(error.part, f"{_address_of(dsn)}: {error.cause}") from error


def _require_tls_files(dsn: str) -> None:
    """Raise Misconfigured with the first file of the DSN that does not exist, if any."""
    given = parse_qs(urlsplit(dsn).query)
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        for path in given.get(name, ()):
            if not Path(path).exists():
                raise Misconfigured(f"ROLLGUARD_POSTGRES_DSN: {name}={path} is not there")


def _address_of(dsn: str) -> str:
    """Return host and database of the DSN, without user and password."""
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", ["local"])[0]
    return f"{host}{parts.path}"


async def _init(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=to_jsonb, decoder=json.loads, format="text"
    )


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
