"""The log of a worker: its lines are bounded, no terminal obeys them, no text forges an event."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from agents.worker import process
from agents.worker.logs import bounded, configure_logs
from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings
from streams.retries import when_it_answers
from tests.support.inputs.hostile import HOSTILE, TEXT


@pytest.fixture(autouse=True)
def _other_logs_stay() -> Iterator[None]:
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()
    structlog.configure(**configured)


def _log_hostile_events() -> None:
    log = structlog.get_logger("agents.test")
    log.warning("dead_letter", tool=TEXT, details={TEXT: [TEXT]}, cause=ValueError(TEXT))
    log.warning("counted", **{TEXT: 1})
    logging.getLogger("library").warning("it says %s", TEXT)


def test_each_event_is_one_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_json=False), "detector")
    _log_hostile_events()
    printed = capsys.readouterr().err
    assert printed.count("\n") == 3
    assert HOSTILE.intersection(printed) == {"\n"}


def test_the_lines_of_a_traceback_are_indented(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_json=False), "detector")
    try:
        raise ValueError("x\n2026-01-31T12:00:00Z [warning  ] rolled_back\x1b[2J")
    except ValueError:
        structlog.get_logger("agents.test").exception("failed")
    first, *others = capsys.readouterr().err.splitlines()
    assert "failed" in first
    assert others[-1] == "    2026-01-31T12:00:00Z [warning  ] rolled_back␛[2J"
    assert all(line.startswith("    ") for line in others)


def test_json_lines_are_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_json=True), "detector")
    _log_hostile_events()
    lines = capsys.readouterr().err.split("\n")[:-1]
    assert [json.loads(line)["level"] for line in lines] == ["warning"] * 3
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_what_a_program_prints_while_it_starts_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tries = 0

    async def answer() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Retryable("Kafka", TEXT)

    asyncio.run(when_it_answers(answer))
    printed = capsys.readouterr().err
    assert printed.startswith("waiting for Kafka")
    assert HOSTILE.intersection(printed) == {"\n"}
    assert printed.count("\n") == 1


def test_a_worker_that_cannot_run_says_so_on_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def _run(role: str, settings: Settings) -> int:
        raise Misconfigured(TEXT)

    monkeypatch.setattr(process, "_run", _run)
    policy = asyncio.get_event_loop_policy()
    try:
        assert process.run_worker("detector", Settings()) == 1
    finally:
        asyncio.set_event_loop_policy(policy)
    printed = capsys.readouterr().err
    assert HOSTILE.intersection(printed) == {"\n"}
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    "value", ["x" * 1_000_000, ["x"] * 1_000_000, {"x" * 1_000_000: 1}, 10**4_000, b"x" * 1_000_000]
)
def test_long_values_are_cut(value: object) -> None:
    [cut] = bounded(None, "info", {"tool": value}).values()
    assert isinstance(cut, str)
    assert len(cut) < 2_100
    assert cut.endswith("characters)")


def test_usual_values_stay_as_they_are() -> None:
    event = {
        "event": "rollback",
        "executions": 3,
        "breaking": None,
        "ok": True,
        "tools": ["a", "b"],
    }
    assert bounded(None, "info", dict(event)) == event


def test_the_end_of_a_traceback_is_kept() -> None:
    event = {"exception": "Traceback\n" + "x" * 1_000_000 + "\nValueError: the cause"}
    cut = bounded(None, "error", event)["exception"]
    assert len(cut) < 20_100
    assert cut.endswith("ValueError: the cause")
