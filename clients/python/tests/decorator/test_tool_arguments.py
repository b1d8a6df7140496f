"""The arguments of the decorator: which results are errors, origins, sessions, versions."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, cast

import pytest
from plain_functions import later, same
from telling import Told

from rollguard_client import ChildLoader, Misconfigured, Rejected, Rollguard


class Late:
    async def load(self, version: Any) -> Any:
        """Load as the server's loaders do; the client calls its own in a thread."""


def test_results_that_are_errors(told: Told) -> None:
    tool = told.guard.tool("text", failed=lambda result: result.startswith("Error"))(same)
    assert [tool("Error: no"), tool("fine")] == ["Error: no", "fine"]
    bad, good = told.of("text")
    assert (bad.success, bad.error, good.success, good.error) == (False, "Error: no", True, None)
    words = told.guard.tool("words", failed=lambda result: result["why"])(same)
    words({"why": "TypeError: odd"})
    words({"why": None})
    words({"why": True})
    assert [(each.success, each.error) for each in told.of("words")] == [
        (False, "TypeError: odd"),
        (True, None),
        (False, "the result is an error"),
    ]
    wrong = told.guard.tool("wrong", failed=lambda result: 1 / 0)(same)
    assert wrong(7) == 7
    assert told.one("wrong").success


def test_origins(told: Told) -> None:
    def failing(error: Exception) -> None:
        raise error

    ways: dict[str, Any] = {
        "mapping": {OSError: "environment", LookupError: "caller"},
        "function": lambda error: "environment" if isinstance(error, OSError) else "caller",
        "word": "environment",
        "wrong": lambda error: "nobody",
        "raising": lambda error: 1 / 0,
    }
    for name, origin in ways.items():
        tool = told.guard.tool(name, origin=origin)(failing)
        for error in (TimeoutError("t"), KeyError("k")):
            with pytest.raises(type(error)):
                tool(error)
    assert {name: [each.error_origin for each in told.of(name)] for name in ways} == {
        "mapping": ["environment", "caller"],
        "function": ["environment", "caller"],
        "word": ["environment", "environment"],
        "wrong": [None, None],
        "raising": [None, None],
    }


def test_sessions_and_versions(told: Told) -> None:
    session: ContextVar[str] = ContextVar("session")
    current = [3]
    tool = told.guard.tool("t", session=session.get, version=lambda: current[0])(current.append)
    tool(5)
    session.set("s" * 300)
    current[0] = 4
    tool(6)
    told.guard.tool("t", session="fixed", version=7)(same)(1)
    told.guard.tool("t", version=lambda: cast("int", "no"))(same)(1)
    assert [(each.session_id, each.version_id) for each in told.of("t")] == [
        (None, 3),
        ("s" * 255, 4),
        ("fixed", 7),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("wrap", "kind", "said"),
    [
        (lambda guard: guard.tool(7), Misconfigured, "7 is no function"),
        (lambda guard: guard.tool(int), Misconfigured, "is no function"),
        (lambda guard: guard.tool("")(len), Rejected, "tool_name: 0 characters"),
        (lambda guard: guard.tool("a\0")(len), Rejected, "tool_name: NUL"),
        (lambda guard: guard.tool("x" * 256)(len), Rejected, "tool_name: 256"),
        (lambda guard: guard.tool(guard.tool(lambda: 1)), Misconfigured, "a tool already"),
        (lambda guard: guard.tool("t", failed=7)(len), Misconfigured, "failed: 7 is no function"),
        (lambda guard: guard.tool("t", origin="me")(len), Misconfigured, "origin: 'me' is none of"),
        (lambda guard: guard.tool("t", origin={int: "tool"})(len), Misconfigured, "no class of"),
        (lambda guard: guard.tool("t", version="3")(len), Misconfigured, "version: '3' is no id"),
        (lambda guard: guard.tool("t", version=0)(len), Misconfigured, "version: 0 is no id"),
        (lambda guard: guard.tool("t", failed=later)(len), Misconfigured, "failed: .* coroutine"),
        (lambda guard: guard.tool("t", origin=later)(len), Misconfigured, "origin: .* coroutine"),
        (lambda guard: guard.tool("t", session=later)(len), Misconfigured, "session: .* coroutine"),
        (lambda guard: guard.tool("t", version=later)(len), Misconfigured, "version: .* coroutine"),
        (lambda guard: guard.tool(guard.managed("m")(len)), Misconfigured, "a tool already"),
        (lambda guard: guard.managed(len), Rejected, "tool_name: .* is no text"),
        (lambda guard: guard.managed("m", entry="a.b")(len), Misconfigured, "entry: 'a.b' is no"),
        (
            lambda guard: guard.managed("m", loader=ChildLoader)(len),
            Misconfigured,
            "loader: .* load",
        ),
        (
            lambda guard: guard.managed("m", loader=Late())(len),
            Misconfigured,
            "loader: .* coroutine",
        ),
        (lambda guard: guard.manage(["a", "b"]), Misconfigured, r"tools: \['a', 'b'\] is no name"),
        (lambda guard: ChildLoader(limit_s=0), Misconfigured, "limit_s: 0 is no number of seconds"),
        (lambda guard: guard.blocking.rollback("t", 3, 5), Rejected, "reason: a text is expected"),
        (
            lambda guard: Rollguard(cast("Any", "kafka:9092")),
            Misconfigured,
            "settings: str is no Settings",
        ),
    ],
)
def test_wrong_arguments_are_named(
    told: Told, wrap: Callable[[Rollguard], Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        wrap(told.guard)
