"""Fixtures of the acceptance tests."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.system import System


@pytest.fixture
def folder() -> Iterator[Path]:
    """Provide a folder for temporary files that other users may enter.

    ``tmp_path`` is not enough: if the tests run as root, Postgres runs as another user.
    """
    with tempfile.TemporaryDirectory(prefix="rollguard-test-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


@pytest_asyncio.fixture
async def guarded(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Provide workers of all roles under policy `guarded`."""
    roles = ("detector", "applier", "recorder")
    async with System.started(
        embedded_broker, database_dsn, topic_prefix, tmp_path, roles, ROLLGUARD_POLICY="guarded"
    ) as running:
        yield running
