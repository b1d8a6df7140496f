"""The connections of version management: Postgres, Kafka, and the code comparer."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from weakref import WeakKeyDictionary

from agents.comparer.fair_comparer import FairComparer
from db.postgres.migrate import open_migrated_pool
from db.postgres.pool import Connection, Pool, PoolWatch, acquire
from rollguard.client import EngineClient
from schemas.settings import Settings

_COMPARE_S = 10.0
"""The CPU time that comparing the code of two versions may take."""


class Connections:
    """The connections of each event loop that uses them, because a connection belongs to one loop.

    They are opened when they are first needed, and kept until ``close``. Opening raises Retryable
    if the other side does not answer, Misconfigured if it refuses; the next use tries again.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.watch: PoolWatch | None = None
        """Whoever is told what is done with the pools that are opened from now on."""
        self._of_loops: WeakKeyDictionary[AbstractEventLoop, _LoopConnections] = WeakKeyDictionary()

    def postgres(self) -> AbstractAsyncContextManager[Connection]:
        """Return a block with a connection from the pool, to a migrated database."""
        return self._here().postgres()

    async def client(self) -> EngineClient:
        """Return the client, connected to Kafka."""
        return await self._here().client()

    @property
    def comparer(self) -> FairComparer:
        """The code comparer of the running loop."""
        return self._here().comparer

    async def close(self) -> None:
        """Close the connections of the running loop. One that is used later is opened again."""
        opened = self._of_loops.pop(asyncio.get_running_loop(), None)
        if opened is not None:
            await opened.close()

    def _here(self) -> "_LoopConnections":
        loop = asyncio.get_running_loop()
        opened = self._of_loops.get(loop)
        if opened is None:
            opened = self._of_loops[loop] = _LoopConnections(self.settings, self.watch)
        return opened


class _LoopConnections:
    """The connections of one event loop."""

    def __init__(self, settings: Settings, watch: PoolWatch | None) -> None:
        self._watch = watch
        self.comparer = FairComparer.with_limit(_COMPARE_S)
        self._settings = settings
        self._pool: Pool | None = None
        self._client: EngineClient | None = None
        self._opening_pool = asyncio.Lock()
        self._opening_client = asyncio.Lock()
        self._open = AsyncExitStack()

    @asynccontextmanager
    async def postgres(self) -> AsyncIterator[Connection]:
        async with self._opening_pool:
            pool = self._pool = self._pool or await self._opened_pool()
        async with acquire(pool) as conn:
            yield conn

    async def client(self) -> EngineClient:
        async with self._opening_client:
            if self._client is None:
                client = EngineClient(self._settings)
                self._client = await self._open.enter_async_context(client)
            return self._client

    async def close(self) -> None:
        self._pool, self._client = None, None
        await self.comparer.close()
        await self._open.aclose()

    async def _opened_pool(self) -> Pool:
        dsn = self._settings.postgres_dsn.get_secret_value()
        # No statement is kept, whether there is a pooler or not: a plan of Postgres that fits every
        # filter of a question is a bad one for most of them.
        pool = await open_migrated_pool(dsn, "transaction", self._watch)
        self._open.push_async_callback(pool.close)
        return pool
