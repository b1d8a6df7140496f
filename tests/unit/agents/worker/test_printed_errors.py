"""What a worker prints on stderr is shown by a terminal and not obeyed."""

import subprocess
import sys

import pytest

from schemas.errors import Retryable
from streams.retries import when_it_answers

HOSTILE = "no\x1b[2J\nrollguard detector: forged \u202etxt"
SHOWN = "no␛[2J␊rollguard detector: forged \\u202etxt"

_PROGRAM = f"""
import sys
from agents.worker import process
from schemas.errors import Misconfigured
from schemas.settings import load_settings

async def fails(*_):
    raise Misconfigured({HOSTILE!r})

process._run = fails
sys.exit(process.run_worker("detector", load_settings()))
"""


def test_the_error_that_ends_a_worker() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, check=False, encoding="utf-8"
    )
    assert (done.returncode, done.stderr) == (1, f"rollguard detector: {SHOWN}\n")


async def test_what_a_process_waits_for_when_it_starts(capsys: pytest.CaptureFixture[str]) -> None:
    calls = []

    async def answers_the_second_time() -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise Retryable("Postgres", HOSTILE)
        return True

    assert await when_it_answers(answers_the_second_time)
    assert capsys.readouterr().err == f"waiting for Postgres: {SHOWN}\n"
