"""Systems that run once for all tests of a module; each test has a tool of its own there.

They are for tests that ask about one tool only, and start, stop and break nothing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.support.kafka import new_topic_prefix
from tests.support.postgres import PostgresServer
from tests.support.system import System
from tests.support.workers import Workers


@pytest.fixture
def tool() -> str:
    """Return the name of a tool that no other test has."""
    return f"tool-{uuid4().hex[:12]}"


@pytest_asyncio.fixture
async def shared_system(_three_roles: Workers) -> AsyncIterator[System]:
    """Yield clients of the three roles that other tests use too."""
    async with System.of(_three_roles) as system:
        yield system


@pytest_asyncio.fixture
async def shared_without_detector(_no_detector: Workers) -> AsyncIterator[System]:
    """Yield clients of an applier and a recorder: what is decided is decided by whoever polls."""
    async with System.of(_no_detector) as system:
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _three_roles(
    embedded_broker: str, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Workers]:
    async with _running(
        embedded_broker, postgres_server, tmp_path_factory, "detector", "applier", "recorder"
    ) as workers:
        yield workers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _no_detector(
    embedded_broker: str, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Workers]:
    async with _running(
        embedded_broker, postgres_server, tmp_path_factory, "applier", "recorder"
    ) as workers:
        yield workers


@asynccontextmanager
async def _running(
    brokers: str, server: PostgresServer, folders: pytest.TempPathFactory, *roles: str
) -> AsyncIterator[Workers]:
    with server.database() as dsn:
        folder = folders.mktemp("shared")
        workers = await Workers.prepared(brokers, dsn, new_topic_prefix(), folder)
        async with workers.run_roles(roles):
            yield workers
