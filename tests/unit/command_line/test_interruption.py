"""Ctrl-C while a verb imports what it needs, and before its first step."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine
from typing import Any

import pytest

from rollguard.cli.process import waiting
from rollguard.operations.overview.status import system_status
from schemas.settings import only_these_settings

# Pydantic makes an error of its own of a KeyboardInterrupt that is raised in it.
PROGRAM = """
import builtins, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["rollguard", {words}]
plain, sent = builtins.__import__, []

def importing(name, *more, **named):
    if name == {module!r} and not sent:
        sent.append(name)
        try:
            os.kill(os.getpid(), signal.SIGINT)
            sum(range(1_000_000))
        except BaseException as error:
            raise RuntimeError("a library has caught it") from error
    return plain(name, *more, **named)

builtins.__import__ = importing
from rollguard.__main__ import main
main()
"""
IMPORTS = {
    '"record", "x", "--ok"': "aiokafka",
    '"status"': "rollguard.operations.overview.status",
    '"tools"': "asyncpg",
    '"mcp"': "rollguard.mcp.server",
}


@pytest.mark.parametrize("words", IMPORTS)
def test_no_library_hears_of_it(words: str) -> None:
    program = PROGRAM.format(words=words, module=IMPORTS[words])
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_work_that_has_not_begun_leaves_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        """Do nothing."""

    def interrupted(given: Coroutine[Any, Any, None]) -> None:
        given.close()  # as asyncio does at the end
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        waiting.run(work(), "nothing")


@pytest.mark.parametrize("interrupted", [True, False])
def test_after_an_interruption_it_says_no_more_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], interrupted: bool
) -> None:
    monkeypatch.setattr(waiting, "NOTICE_AFTER_S", 0.0)

    async def work() -> None:
        await asyncio.sleep(0)  # the time of the note comes in the next step
        if interrupted:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(600)
        else:
            await asyncio.sleep(0.1)

    with contextlib.suppress(KeyboardInterrupt):
        waiting.run(work(), "Kafka")
    assert capsys.readouterr().err == ("" if interrupted else "rollguard: waiting for Kafka\n")


async def test_a_status_that_has_not_begun_leaves_no_warning() -> None:
    settings = only_these_settings(kafka_brokers="127.0.0.1:1", postgres_dsn="postgresql://a@b:1/c")
    for turns in range(4):
        asking = asyncio.ensure_future(system_status(settings))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
