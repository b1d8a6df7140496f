"""Fixtures of the tests that run a driver in this process."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from schemas.settings import Settings
from tests.support.systems.batch_reader import prepared


@pytest.fixture(scope="module", autouse=True)
def collect_what_drivers_left_open() -> Iterator[None]:
    """Collect garbage after a module, so that its ResourceWarnings fail no test of another one."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest_asyncio.fixture
async def settings(kafka: str, topic_prefix: str, tmp_path: Path) -> Settings:
    return await prepared(kafka, topic_prefix, tmp_path)
