"""A whole system for one test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.system import System


@pytest_asyncio.fixture
async def system(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """All three roles, running and ready, on topics and a database of their own."""
    roles = ("detector", "applier", "recorder")
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, roles) as running:
        yield running


@pytest_asyncio.fixture
async def detector(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """A detector alone: it must not need anything else."""
    async with System.started(
        kafka, database_dsn, topic_prefix, tmp_path, ("detector",)
    ) as running:
        yield running
