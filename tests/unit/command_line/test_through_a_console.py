"""What the command line says if it works through a console, and the console does not understand."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from rollguard.cli.app import VERBS
from rollguard.operations.versions import VersionName
from rollguard.systems.reached import system_of
from rollguard.systems.remote.system import RemoteSystem
from rollguard.systems.system import System
from rollguard_client.http.console import Console
from rollguard_client.http.problems import Said
from schemas.errors import Misconfigured, RollguardError
from schemas.settings import only_these_settings
from tests.support.systems.command_line import said

NOT_THROUGH = {
    *(("up",), ("worker", "detector"), ("console",), ("migrate",), ("topics",)),
    *(("prune", "--older-than", "1d", "--yes"), ("erase", "--session", "x", "--yes")),
    *(("backtest",), ("keys", "adopt")),
}
LOCAL = {"demo", "config", "notify", "mcp"}
"""Verbs that ask no system, or later."""


@pytest.mark.parametrize("words", sorted(NOT_THROUGH), ids=" ".join)
def test_verbs_that_do_not_work_through_a_console(words: tuple[str, ...]) -> None:
    found = asyncio.run(said(*words, env={"ROLLGUARD_URL": "http://127.0.0.1:1"}))
    assert (found.code, found.out) == (1, "")
    assert f"`rollguard {words[0]}" in found.err
    assert "unset ROLLGUARD_URL" in found.err


@pytest.mark.parametrize(
    "words",
    [
        *(("tools",), ("engines",), ("status",), ("current", "a"), ("history", "a")),
        *(("show", "a", "v1"), ("compare", "a", "v1", "v2"), ("rollbacks",), ("explain", "00")),
        *(("holds",), ("pins",), ("pin", "a"), ("stops",), ("check", "a"), ("health", "a")),
        *(("dead-letters",), ("replay", "--all"), ("record", "a", "--ok"), ("resume", "a")),
        *(("rollback", "a", "v1"), ("approve", "00"), ("dismiss", "00", "--reason", "x")),
        *(("unpin", "a"), ("freeze", "a", "--reason", "x"), ("unfreeze", "a")),
        *(("reject", "a", "v1", "--reason", "x"), ("deploy", "a", __file__)),
        ("verdict", "a", "0b4c9bfa-1c8e-4b52-9a35-6f1df2f6a3de", "--bad"),
    ],
    ids=" ".join,
)
def test_every_other_verb_asks_the_console_alone(words: tuple[str, ...]) -> None:
    env = {"ROLLGUARD_URL": "http://127.0.0.1:1", "ROLLGUARD_WAIT_S": "1"}
    found = asyncio.run(said(*words, env=env))
    assert (found.code, found.out) == (1, "")
    assert found.err.startswith("rollguard: console: http://127.0.0.1:1 does not answer")


def test_each_verb_is_in_one_of_the_lists() -> None:
    other = test_every_other_verb_asks_the_console_alone.pytestmark[0].args[1]  # type: ignore[attr-defined]
    asked = {words[0] for words in other}
    assert asked | {words[0] for words in NOT_THROUGH} | LOCAL == {*VERBS, "keys"}


class Answering(Console):
    """A console that gives the same answer to each question."""

    def __init__(self, data: Any) -> None:
        super().__init__("http://console")
        self.data = data

    def ask(self, *_: Any, **__: Any) -> Said:
        return Said(200, {}, self.data)


def quietly(_: str) -> None:
    """Say nothing."""


ASKED: list[Callable[[System], Coroutine[Any, Any, Any]]] = [
    lambda of: of.overview.tools(None, quietly),
    lambda of: of.overview.engines(None),
    lambda of: of.overview.status(),
    lambda of: of.overview.health("a", quietly),
    lambda of: of.versions.current("a"),
    lambda of: of.versions.history("a", 5),
    lambda of: of.versions.compare("a", VersionName(1), VersionName(2)),
    lambda of: of.rollbacks.newest(None, None, 5),
    lambda of: of.rollbacks.explained("00", None),
    lambda of: of.holds.waiting(None),
    lambda of: of.holds.named("00", None),
    lambda of: of.stops.pins(),
    lambda of: of.stops.resume("a", "ann"),
    lambda of: of.stops.reject("a", VersionName(1), "x", "ann"),
]


@pytest.mark.parametrize("data", [{}, {"tools": 1, "next_cursor": None}])
@pytest.mark.parametrize("ask", ASKED)
def test_an_answer_that_is_not_understood(
    ask: Callable[[System], Coroutine[Any, Any, Any]], data: Any
) -> None:
    with pytest.raises(Misconfigured, match="of another version"):
        asyncio.run(ask(RemoteSystem(Answering(data))))


def test_a_wrong_address_is_an_error_of_the_settings() -> None:
    with pytest.raises(RollguardError, match="url"):
        only_these_settings(url="ftp://a")
    settings = only_these_settings(url="https://a/", token="t")
    assert settings.url == "https://a"
    assert "t'" not in repr(settings.token)
    system_of(settings)
