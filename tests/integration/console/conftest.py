"""A console beside the shared workers of a module; its tests share it, too."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.consoles.console import Console, running_console
from tests.support.systems.workers import Workers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _console(_three_roles: Workers) -> AsyncIterator[Console]:
    async with running_console(_three_roles) as running:
        yield running


@pytest.fixture
def console(_console: Console) -> Console:
    """Return a console of the shared workers, without a token."""
    return _console
