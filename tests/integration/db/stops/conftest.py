"""A connection to a database of its own for each test."""

from collections.abc import AsyncIterator

import pytest

from db.postgres.pool import Connection, connect


@pytest.fixture
async def conn(database_dsn: str) -> AsyncIterator[Connection]:
    conn = await connect(database_dsn)
    yield conn
    await conn.close()
