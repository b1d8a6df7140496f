"""The form with ``await`` and the one without offer the same."""

import inspect
from typing import Any

import pytest

import rollguard
import rollguard.blocking
from rollguard_client import Rollguard, http
from rollguard_client.blocking import Blocking
from rollguard_client.http import blocking as blocking_http
from rollguard_client.registry.registry import BlockingRegistry, Registry
from rollguard_client.requests.following import BlockingFollowing, Following

FOR_ENGINES = {"publish", "deploy", "rollback", "registry", "follow"}
INNER = {"use", "after_fork", "close", "loading", "waiting", "is_started"}
"""What the client itself uses of the registry."""


def names(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    """Return names, kinds and defaults."""
    given = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default) for each in given if each.name != "self"]


@pytest.fixture
def guard() -> Rollguard:
    return Rollguard(kafka_brokers="127.0.0.1:1")


def test_blocking_has_all_that_an_engine_asks_for(guard: Rollguard) -> None:
    assert names(guard.blocking) == FOR_ENGINES
    assert names(guard) >= FOR_ENGINES
    for name in FOR_ENGINES - {"registry"}:
        blocking, awaited = getattr(Blocking, name), getattr(Rollguard, name)
        assert parameters(blocking) == parameters(awaited), name
        assert not inspect.iscoroutinefunction(blocking)


def test_both_registries_have_the_same(guard: Rollguard) -> None:
    awaited = names(guard.registry) - INNER
    assert (
        names(guard.blocking.registry)
        == awaited
        == {*("start", "get", "load", "wait_for", "on_change", "on_swap", "silent_since")}
    )
    for name in awaited - {"on_change", "silent_since"}:
        blocking = getattr(guard.blocking.registry, name)
        assert parameters(blocking) == parameters(getattr(guard.registry, name)), name
        assert not inspect.iscoroutinefunction(blocking)
    assert guard.blocking.registry.on_change is guard.registry.on_change
    assert inspect.iscoroutinefunction(Registry.load)
    assert not inspect.iscoroutinefunction(BlockingRegistry.load)


def test_both_ways_to_follow_are_used_alike() -> None:
    pairs = {
        "__enter__": "__aenter__",
        "__exit__": "__aexit__",
        "__iter__": "__aiter__",
        "__next__": "__anext__",
    }
    for blocking, awaited in pairs.items():
        assert hasattr(BlockingFollowing, blocking)
        assert hasattr(Following, awaited)
    assert names(BlockingFollowing) == names(Following)


@pytest.mark.parametrize("name", ["ToolVersionManager", "DeploymentMonitor"])
@pytest.mark.parametrize(
    ("through", "direct"), [(http, rollguard), (blocking_http, rollguard.blocking)]
)
def test_version_management_through_a_console_is_that_of_the_server(
    through: Any, direct: Any, name: str
) -> None:
    ours, theirs = getattr(through, name), getattr(direct, name)
    methods = {each for each in names(theirs) if inspect.isfunction(getattr(theirs, each))}
    of_the_server = {"result_of", "require_previous", "number_of", "compare_records"}
    asked = methods - of_the_server
    assert {"close"} < asked <= names(ours)
    for method in asked:
        found, expected = getattr(ours, method), getattr(theirs, method)
        assert parameters(found) == parameters(expected), method
        assert inspect.iscoroutinefunction(found) == inspect.iscoroutinefunction(expected), method
    given = [each for each in parameters(theirs.__init__) if each[0] != "settings"]
    assert parameters(ours.__init__)[: len(given)] == given
