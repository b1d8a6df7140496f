"""One system and one browser for all of these tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chromium import running_chromium
from tests.support.consoles.scene import Scene, playing
from tests.support.servers.postgres import PostgresServer


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def scene(
    embedded_broker: str, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    """Yield the system that all pages show."""
    with postgres_server.database() as dsn:
        async with playing(embedded_broker, dsn, tmp_path_factory.mktemp("scene")) as scene:
            yield scene


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Yield a Chromium."""
    async with running_chromium() as browser:
        yield browser
