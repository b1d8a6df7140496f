"""Publishing through a console."""

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playing_console import PROBLEM, Server
from waiting import wait_until

from rollguard_client import Misconfigured, Rollguard, load_settings


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    found.status, found.body = 202, b'{"accepted": 1, "rejected": []}'
    with found.running():
        yield found


def sent(server: Server) -> list[dict[str, Any]]:
    """Return the executions that the server has got, in their order."""
    return [each for seen in server.seen for each in json.loads(seen.body)]


def guard_of(server: Server) -> Rollguard:
    return Rollguard(publish_by="http", url=server.url, token="secret")


def test_calls_are_published_to_a_console(server: Server) -> None:
    guard = guard_of(server)

    @guard.tool("parser")
    def parse(text: str) -> int:
        return int(text)

    parse("1")
    with pytest.raises(ValueError, match="invalid literal"):
        parse("x")
    wait_until(lambda: len(sent(server)) == 2)
    first, second = sent(server)
    assert (first["tool_name"], first["success"]) == ("parser", True)
    assert (second["success"], second["error_type"]) == (False, "ValueError")
    assert server.seen[0].path == "/api/v1/executions"
    assert server.seen[0].headers["Authorization"] == "Bearer secret"
    wait_until(lambda: guard.buffered == 0)


def test_what_was_not_taken_is_sent_again(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.status, server.headers = 503, {"Content-Type": PROBLEM}
    server.body = b'{"part": "Kafka", "detail": "Kafka: gone"}'
    guard = guard_of(server)
    guard.tool("parser")(lambda: None)()
    wait_until(lambda: len(server.seen) >= 2)
    assert guard.buffered == 1
    server.status, server.headers = 202, {"Content-Type": "application/json"}
    server.body = b'{"accepted": 1, "rejected": []}'
    wait_until(lambda: guard.buffered == 0)
    assert len({each["execution_id"] for each in sent(server)}) == 1
    assert f"executions wait for the console at {server.url} (Kafka: gone)" in caplog.text


def test_what_a_console_refuses_is_given_up(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "rollguard_client")
    server.body = b'{"accepted": 0, "rejected": [{"index": 0, "error": "it is too far ahead"}]}'
    guard = guard_of(server)
    guard.tool("parser")(lambda: None)()
    wait_until(lambda: guard.dropped == 1)
    assert guard.buffered == 0
    assert "it is too far ahead" in caplog.text
    server.status, server.headers = 413, {"Content-Type": PROBLEM}
    server.body = b'{"detail": "the body has too many bytes"}'
    guard.tool("other")(lambda: None)()
    wait_until(lambda: guard.dropped == 2)


def test_after_a_flush_what_was_refused_is_counted_and_said(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.body = b'{"accepted": 0, "rejected": [{"index": 0, "error": "it is too far ahead"}]}'
    log, said = logging.getLogger("rollguard_client"), threading.Event()

    def says_slowly(_: logging.LogRecord) -> bool:
        said.wait(0.3)
        return True

    monkeypatch.setattr(log, "filters", [says_slowly])
    guard = guard_of(server)
    guard.tool("parser")(lambda: None)()
    assert guard.flush()
    assert guard.dropped == 1
    assert "it is too far ahead" in caplog.text


def test_a_console_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_CLIENT_PUBLISH_BY", "http")
    with pytest.raises(Misconfigured, match="publish_by http needs url"):
        load_settings()
