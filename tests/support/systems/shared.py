"""Systems that run once for all tests of a module; each test has a tool of its own there.

They are for tests that ask about one tool only, and start, stop and break nothing.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.support.servers.kafka import new_topic_prefix
from tests.support.servers.postgres import PostgresServer
from tests.support.systems.system import System
from tests.support.systems.workers import Workers

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
async def shared_on_each(_three_roles_on_each: Workers) -> AsyncIterator[System]:
    """Yield the same for the embedded broker and for Apache Kafka."""
    async with System.of(_three_roles_on_each) as system:
        yield system


@pytest_asyncio.fixture
async def shared_detector(_only_detector: Workers) -> AsyncIterator[System]:
    """Yield clients of a detector alone, because it must not need any other role; on each Kafka."""
    async with System.of(_only_detector) as system:
        yield system


@pytest_asyncio.fixture
async def shared_without_detector(_no_detector: Workers) -> AsyncIterator[System]:
    """Yield clients of an applier and a recorder: what is decided is decided by whoever polls."""
    async with System.of(_no_detector) as system:
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _three_roles(start_shared: Start, embedded_broker: str) -> AsyncIterator[Workers]:
    async with start_shared(embedded_broker, "detector", "applier", "recorder") as workers:
        yield workers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _three_roles_on_each(start_shared: Start, kafka: str) -> AsyncIterator[Workers]:
    async with start_shared(kafka, "detector", "applier", "recorder") as workers:
        yield workers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _only_detector(start_shared: Start, kafka: str) -> AsyncIterator[Workers]:
    async with start_shared(kafka, "detector") as workers:
        yield workers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _no_detector(start_shared: Start, embedded_broker: str) -> AsyncIterator[Workers]:
    async with start_shared(embedded_broker, "applier", "recorder") as workers:
        yield workers


@pytest.fixture(scope="module")
def start_shared(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Start:
    """Return a function that runs roles with topics and a database of their own.

    It takes the brokers, the roles, and what is added to the environment of the workers.
    """

    @asynccontextmanager
    async def start(brokers: str, *roles: str, **more: str) -> AsyncIterator[Workers]:
        with postgres_server.database() as dsn:
            folder = tmp_path_factory.mktemp("shared")
            workers = await Workers.prepared(brokers, dsn, new_topic_prefix(), folder)
            async with workers.run_roles(roles, **more):
                yield workers

    return start
