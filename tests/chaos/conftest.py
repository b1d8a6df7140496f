"""The folder of each run, which is kept if the test failed."""

import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Make a folder that user `nobody`, who runs Postgres, may enter; pytest's own it may not."""
    made = Path(tempfile.mkdtemp(prefix="rollguard-chaos-"))
    yield made
    if request.node.stash.get(_FAILED, True):
        print(f"logs: {made}")
    else:
        shutil.rmtree(made)
