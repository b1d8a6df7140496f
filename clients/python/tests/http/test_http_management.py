"""Version management through a console, and its events, against a server that plays the console."""

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from playing_console import PROBLEM, Server

from rollguard_client import Misconfigured, Rejected, Retryable, ToolVersion
from rollguard_client.http import (
    Console,
    DeploymentHeld,
    DeploymentMonitor,
    DeploymentRefused,
    ToolVersionManager,
    blocking,
    follow_events,
)

NOON = "2026-01-31T12:00:00Z"
VERSION = {
    "tool_name": "parser",
    "version_id": 7,
    "version_number": 2,
    "code": "x",
    "code_hash": "0" * 64,
    "created_by": "human",
    "improvement_type": "initial",
    "is_breaking_change": False,
    "breaking_changes": [],
    "deployment_id": str(uuid4()),
    "activation": 1,
    "activated_at": NOON,
    "activated_by": {"kind": "deployment", "id": str(uuid4())},
    "created_at": NOON,
    "success_rate": None,
    "previous_version_number": 1,
}
OUTCOME = {
    "deployment_id": str(uuid4()),
    "tool_name": "parser",
    "status": "created",
    "version_id": 7,
    "applied_at": NOON,
}
ROLLED_BACK = {
    "command_id": str(uuid4()),
    "tool_name": "parser",
    "status": "applied",
    "to_version_id": 5,
    "to_version_number": 1,
    "reason": "manual",
    "tier": "manual",
    "applied_at": NOON,
}


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    with found.running():
        yield found


def say(server: Server, data: Any, status: int = 200) -> None:
    server.status, server.body = status, json.dumps(data).encode()
    server.headers = {"Content-Type": "application/json" if status < 400 else PROBLEM}


def both(server: Server, work: Callable[[Any], Any]) -> list[Any]:
    """Return what both managers answer."""
    asked = work(ToolVersionManager(url=server.url))
    return [asyncio.run(asked), work(blocking.ToolVersionManager(url=server.url))]


def test_a_version_is_created(server: Server) -> None:
    say(server, OUTCOME)
    given = uuid4()
    for found in both(
        server, lambda manager: manager.create_version("a/b", "x", deployment_id=given)
    ):
        assert found == 7
    sent = json.loads(server.seen[0].body)
    assert server.seen[0].path == "/api/v1/tools/a%2Fb/deployments"
    assert (sent["code"], sent["created_by"], sent["deployment_id"]) == ("x", "human", str(given))
    held = OUTCOME | {"status": "held", "version_id": None, "findings": ["it breaks calls"]}
    say(server, held, 202)
    with pytest.raises(DeploymentHeld, match="it breaks calls"):
        blocking.ToolVersionManager(url=server.url).create_version("a", "x")
    refused = OUTCOME | {"status": "refused", "version_id": None, "refusal": "frozen"}
    say(server, {"detail": "refused: frozen", "outcome": refused}, 409)
    with pytest.raises(DeploymentRefused, match="frozen") as raised:
        blocking.ToolVersionManager(url=server.url).create_version("a", "x")
    assert raised.value.outcome.refusal == "frozen"


def test_versions_are_read(server: Server) -> None:
    say(server, VERSION)
    for found in both(server, lambda manager: manager.get_current_version("parser")):
        assert math.isnan(found["success_rate"])
        assert found["created_at"] == datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
        assert isinstance(found["deployment_id"], UUID)
        assert "previous_version_number" not in found
    say(server, {"versions": [VERSION], "held": [], "next_cursor": None})
    for found in both(server, lambda manager: manager.get_version_history("parser", 5)):
        assert [each["version_number"] for each in found] == [2]
    say(server, {"detail": "no versions"}, 404)
    for found in both(server, lambda manager: manager.get_current_version("parser")):
        assert found is None
    for found in both(server, lambda manager: manager.get_version_history("parser")):
        assert found == []
    manager = blocking.ToolVersionManager(url=server.url)
    wrong: Any
    for wrong in (0, 2**31, "x"):
        with pytest.raises(Rejected, match="limit"):
            manager.get_version_history("parser", wrong)
    for name in ("", None):
        with pytest.raises(Rejected, match="tool_name"):
            manager.get_current_version(name)  # type: ignore[arg-type]


def test_a_rollback_and_its_refusal(server: Server) -> None:
    say(server, ROLLED_BACK)
    for found in both(
        server, lambda manager: manager.rollback_to_version("parser", 5, "x", issued_by="ann")
    ):
        assert (found["success"], found["rolled_back_to_version"]) == (True, 1)
        assert (found["error"], found["rejection"]) == (None, None)
        assert found["command_id"] == UUID(str(ROLLED_BACK["command_id"]))
    sent = json.loads(server.seen[0].body)
    assert (sent["to_version_id"], sent["issued_by"], sent["by_rule"]) == (5, "ann", True)
    rejected = ROLLED_BACK | {"status": "rejected", "rejection": "pinned"}
    say(server, {"detail": "it is pinned", "outcome": rejected}, 409)
    for found in both(server, lambda manager: manager.rollback_to_version("parser", 5, "x")):
        assert (found["success"], found["rolled_back_to_version"]) == (False, None)
        assert (found["error"], found["rejection"]) == ("it is pinned", "pinned")
    with pytest.raises(Rejected, match="version_id"):
        blocking.ToolVersionManager(url=server.url).rollback_to_version("a", "5", "x")  # type: ignore[arg-type]


def test_a_monitor(server: Server) -> None:
    window = {"window_s": 86_400, "executions": 10, "failures": 4}
    say(server, {"windows": {"standard": window}, "baseline": {"success_rate": 0.9}})
    found = blocking.DeploymentMonitor(url=server.url).check_health("parser", "s")
    assert (found["session_id"], found["total_executions"], found["success_rate"]) == ("s", 10, 0.6)
    assert found["success_rate_drop"] == pytest.approx(0.3)
    nothing = {"rollback_performed": False, "type": None, "command_id": None}
    say(server, nothing)
    monitor = DeploymentMonitor(url=server.url)
    assert asyncio.run(monitor.auto_rollback_if_needed("parser", "s")) == {
        "rollback_performed": False,
        "type": None,
        "session_id": "s",
    }
    say(server, nothing | {"rollback_performed": True, "type": "fast", "details": {"recent": []}})
    assert asyncio.run(monitor.auto_rollback_if_needed("parser"))["type"] == "fast"
    assert server.seen[-1].path == "/api/v1/tools/parser/rollbacks/automatic"


class Registry:
    """A registry of an engine."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def reload(self, version: ToolVersion) -> None:
        self.told.append(version.version_id)


class AsyncRegistry(Registry):
    """A registry whose reload is a coroutine."""

    async def reload(self, version: ToolVersion) -> None:  # type: ignore[override]
        super().reload(version)


def test_registries_are_told(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    say(server, VERSION | ROLLED_BACK)
    plain, coroutine = Registry(), AsyncRegistry()
    blocking.ToolVersionManager(None, plain, url=server.url).rollback_to_version("a", 5, "x")
    for each in (plain, coroutine):
        manager = ToolVersionManager(None, each, url=server.url)
        assert asyncio.run(manager.rollback_to_version("a", 5, "x"))["success"]
    assert (plain.told, coroutine.told) == ([7, 7], [7])
    wrong = blocking.ToolVersionManager(None, coroutine, url=server.url)
    assert wrong.rollback_to_version("a", 5, "x")["success"]
    assert "reload is a coroutine" in caplog.text


def test_answers_that_are_not_understood(server: Server) -> None:
    say(server, {"something": "else"})
    manager = blocking.ToolVersionManager(url=server.url)
    for ask in (
        lambda: manager.create_version("a", "x"),
        lambda: manager.get_current_version("a"),
        lambda: manager.get_version_history("a"),
        lambda: manager.compare_versions("a", 1, 2),
        lambda: manager.check_immediate_rollback_needed("a"),
        lambda: manager.update_version_metrics("a", 1),
        lambda: blocking.DeploymentMonitor(version_manager=manager).check_health("a"),
    ):
        with pytest.raises(Misconfigured, match="another version"):
            ask()


def test_which_console_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match="ROLLGUARD_URL"):
        ToolVersionManager()
    monkeypatch.setenv("ROLLGUARD_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ROLLGUARD_TOKEN", "of-the-settings")
    say(server, VERSION)
    blocking.ToolVersionManager(url=server.url).get_current_version("a")
    assert "Authorization" not in server.seen[0].headers, "the token belongs to another address"
    monkeypatch.setenv("ROLLGUARD_URL", server.url)
    blocking.ToolVersionManager().get_current_version("a")
    assert server.seen[1].headers["Authorization"] == "Bearer of-the-settings"


STREAM = (
    b"retry: 3000\nid: r1-d1\n\n: still here\n\n"
    b'event: rollback\r\ndata: {"n": 1}\r\nid: r2-d1\r\n\r\n'
    b'event: outage\ndata: {"n":\ndata: 2}\n\n'
    b'event: hold\ndata: {"n": 3}\nid: r3-d1\n\nevent: cut'
)


def test_events_are_resumed(server: Server) -> None:
    server.headers, server.body = {"Content-Type": "text/event-stream"}, STREAM
    events = blocking.follow(Console(server.url), "r0-d0")
    found = [next(events) for _ in range(4)]
    assert [(each.kind, each.data["n"], each.id) for each in found] == [
        ("rollback", 1, "r2-d1"),
        ("outage", 2, None),
        ("hold", 3, "r3-d1"),
        ("rollback", 1, "r2-d1"),
    ]
    assert [each.headers["Last-Event-ID"] for each in server.seen] == ["r0-d0", "r3-d1"]


def test_events_in_a_loop(server: Server) -> None:
    server.headers, server.body = {"Content-Type": "text/event-stream"}, STREAM

    async def first_two() -> list[str]:
        found = []
        async for event in follow_events(Console(server.url)):
            found.append(event.kind)
            if len(found) == 2:
                return found
        return found

    assert asyncio.run(first_two()) == ["rollback", "outage"]


def test_what_is_no_stream(server: Server) -> None:
    say(server, {})
    with pytest.raises(Misconfigured, match="another program"):
        next(blocking.follow(Console(server.url)))
    server.headers, server.body = {"Content-Type": "text/event-stream"}, b"data: {\n\n"
    with pytest.raises(Misconfigured, match="another version"):
        next(blocking.follow(Console(server.url)))
    say(server, {"detail": "500 streams are open", "part": "console"}, 503)
    with pytest.raises(Retryable, match="streams are open"):
        next(blocking.follow(Console(server.url), gives_up=True))
