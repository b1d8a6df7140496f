"""Fixtures of the acceptance tests."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.systems.shared import Start
from tests.support.systems.system import System
from tests.support.systems.workers import Workers


@pytest.fixture
def folder() -> Iterator[Path]:
    """Provide a folder for temporary files that other users may enter.

    ``tmp_path`` is not enough: if the tests run as root, Postgres runs as another user.
    """
    with tempfile.TemporaryDirectory(prefix="rollguard-test-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _guarded_roles(start_shared: Start, embedded_broker: str) -> AsyncIterator[Workers]:
    async with start_shared(
        embedded_broker, "detector", "applier", "recorder", ROLLGUARD_POLICY="guarded"
    ) as workers:
        yield workers


@pytest_asyncio.fixture
async def guarded(_guarded_roles: Workers) -> AsyncIterator[System]:
    """Yield clients of all roles under policy `guarded`, which other tests use too."""
    async with System.of(_guarded_roles) as system:
        yield system
