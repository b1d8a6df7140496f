"""Fixtures for all tests, and an environment that the shell cannot change."""

import gc
import os
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

gc.disable()  # until all tests are collected
# A busy machine changes no result: what hangs is ended by pytest's limit.
settings.register_profile("any speed", deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("any speed")

_SYSTEMS = Path(__file__).parent / "acceptance"
_STARTED = frozenset({"system", "start_shared"})
"""Fixtures that start workers."""
_WITH_SERVERS = (_SYSTEMS, *(Path(__file__).parent / each for each in ("integration", "docs")))

pytest_plugins = [
    "tests.support.servers.kafka",
    "tests.support.servers.secure_kafka",
    "tests.support.servers.postgres",
    "tests.support.systems.system",
    "tests.support.systems.shared",
    "tests.support.systems.restricted",
]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected, and never among what is there after it.

    A third of the time of collecting went into that, and nothing was found.
    """
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(autouse=True)
def _no_settings_from_the_shell(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Remove settings of the shell, and keep the files of the user out of the tests.

    ROLLGUARD_TEST_… stay: they say where servers are.
    """
    state = tmp_path_factory.getbasetemp() / f"state-{uuid4().hex}"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    for name in os.environ:
        if name.startswith("ROLLGUARD_") and not name.startswith("ROLLGUARD_TEST_"):
            monkeypatch.delenv(name)


@pytest.hookimpl(trylast=True)  # after pytest-randomly has shuffled them
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files first whose tests may take longest, so that none runs alone at the end.

    Each file runs in one process, which starts what its tests share. Among those that say no time,
    the ones that start whole systems are first. aiokafka may leave a connection open that it was
    opening when it was stopped. Chance decides during which test that is noticed, so it fails none.
    """
    for test in items:
        if any(each in test.path.parents for each in _WITH_SERVERS):
            test.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
    longest: defaultdict[Path, float] = defaultdict(float)
    with_systems: set[Path] = set()
    for test in items:
        mark = test.get_closest_marker("timeout")
        longest[test.path] = max(longest[test.path], float(mark.args[0]) if mark else 0.0)
        if isinstance(test, pytest.Function) and _STARTED & set(test.fixturenames):
            with_systems.add(test.path)

    def how_long(test: pytest.Item) -> tuple[float, bool, bool]:
        is_acceptance = _SYSTEMS in test.path.parents
        return longest[test.path], is_acceptance, test.path in with_systems

    items.sort(key=how_long, reverse=True)
