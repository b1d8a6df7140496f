"""The connections of version management: Postgres, Kafka, and the code comparer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from agents.comparer.code_comparer import CodeComparer
from db.postgres.migrate import open_migrated_pool
from db.postgres.pool import Connection, Pool, acquire
from rollguard.client import EngineClient
from schemas.settings import Settings


class Connections:
    """Connections that are opened when they are first needed, and kept until ``close``.

    They belong to the event loop in which they were opened. Opening raises Retryable if the other
    side does not answer, Misconfigured if it refuses; the next use tries again.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.comparer = CodeComparer()
        self._pool: Pool | None = None
        self._client: EngineClient | None = None
        self._opening_pool = asyncio.Lock()
        self._opening_client = asyncio.Lock()
        self._open = AsyncExitStack()

    @asynccontextmanager
    async def postgres(self) -> AsyncIterator[Connection]:
        """Yield a connection from the pool, to a migrated database."""
        async with self._opening_pool:
            pool = self._pool = self._pool or await self._opened_pool()
        async with acquire(pool) as conn:
            yield conn

    async def client(self) -> EngineClient:
        """Return the client, connected to Kafka."""
        async with self._opening_client:
            if self._client is None:
                client = EngineClient(self.settings)
                self._client = await self._open.enter_async_context(client)
            return self._client

    async def close(self) -> None:
        """Close all connections. One that is used later is opened again."""
        self._pool, self._client = None, None
        comparer, self.comparer = self.comparer, CodeComparer()
        await comparer.close()
        await self._open.aclose()

    async def _opened_pool(self) -> Pool:
        pool = await open_migrated_pool(self.settings.postgres_dsn.get_secret_value())
        self._open.push_async_callback(pool.close)
        return pool
