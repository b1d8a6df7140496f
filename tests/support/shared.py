"""Systems that run once for all tests of a module; each test has a tool of its own there.

They are for tests that ask about one tool only, and start, stop and break nothing.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.support.kafka import new_topic_prefix
from tests.support.postgres import PostgresServer
from tests.support.system import System
from tests.support.workers import Workers

Start = Callable[..., AbstractAsyncContextManager[Workers]]


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
async def _three_roles(start_roles: Start) -> AsyncIterator[Workers]:
    async with start_roles("detector", "applier", "recorder") as workers:
        yield workers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _no_detector(start_roles: Start) -> AsyncIterator[Workers]:
    async with start_roles("applier", "recorder") as workers:
        yield workers


@pytest.fixture(scope="module")
def start_roles(
    embedded_broker: str, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Start:
    """Return a function that runs roles with topics and a database of their own.

    It takes the names of the roles, and more variables of their environment.
    """

    @asynccontextmanager
    async def start(*roles: str, **more: str) -> AsyncIterator[Workers]:
        with postgres_server.database() as dsn:
            folder = tmp_path_factory.mktemp("shared")
            workers = await Workers.prepared(embedded_broker, dsn, new_topic_prefix(), folder)
            async with workers.run_roles(roles, **more):
                yield workers

    return start
