"""What a program publishes is in Kafka once, where the server looks for it."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from rollguard_client import Execution, Rollguard
from schemas.execution import Execution as ServerExecution
from tests.integration.client.topics import make_topics
from tests.integration.client.topics import published as all_of

_FORKS = "ignore::DeprecationWarning"


@pytest.fixture
async def topics(kafka: str, topic_prefix: str) -> dict[str, str]:
    """Make the topic of executions, and return the variables by which it is found."""
    await make_topics(kafka, topic_prefix, "tool-executions")
    return {"ROLLGUARD_KAFKA_BROKERS": kafka, "ROLLGUARD_TOPIC_PREFIX": topic_prefix}


def guard_of(topics: dict[str, str], **values: Any) -> Rollguard:
    return Rollguard(
        kafka_brokers=topics["ROLLGUARD_KAFKA_BROKERS"],
        topic_prefix=topics["ROLLGUARD_TOPIC_PREFIX"],
        **values,
    )


async def published(topics: dict[str, str]) -> list[ServerExecution]:
    """Return all executions, in the order of each partition."""
    return await all_of(topics["ROLLGUARD_KAFKA_BROKERS"], topics["ROLLGUARD_TOPIC_PREFIX"])


def run(program: str, topics: dict[str, str], *arguments: str, **more: str) -> int:
    """Run a program that begins with ``guard`` and ``work``, a tool; return how it has ended."""
    begin = """
        import os, signal, sys, threading, time
        from rollguard_client import Rollguard
        guard = Rollguard()
        @guard.tool
        def work(number):
            if number % 10 == 9:
                raise KeyError(number)
            return number
        def many(begin, end):
            for number in range(begin, end):
                try:
                    assert work(number) == number
                except KeyError:
                    pass
    """
    code = textwrap.dedent(begin) + textwrap.dedent(program)
    done = subprocess.run(
        # Python 3.12 and later warn of a fork while threads run, which is what is tested.
        [sys.executable, "-W", "error", "-W", _FORKS, "-c", code, *arguments],
        env={**os.environ, **topics, **more},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("", "")
    return done.returncode


async def test_a_program_that_ends_has_published_all(topics: dict[str, str]) -> None:
    assert run("many(0, 1000)", topics) == 0
    found = await published(topics)
    assert len({each.execution_id for each in found}) == len(found) == 1000
    assert Counter((each.success, each.error_type) for each in found) == {
        (True, None): 900,
        (False, "KeyError"): 100,
    }
    assert found[9].error == "KeyError: 9", "one tool's executions are in order"


async def test_many_tools_and_an_execution_of_ones_own(topics: dict[str, str]) -> None:
    guard = guard_of(topics)
    tools = [guard.tool(f"tool-{number}")(time.monotonic) for number in range(20)]
    for _ in range(50):
        for tool in tools:
            tool()
    execution = Execution(
        execution_id=uuid4(), tool_name="other", success=True, executed_at=datetime.now(UTC)
    )
    guard.publish(execution)
    assert guard.flush(30)
    assert (guard.buffered, guard.dropped) == (0, 0)
    guard.close()
    found = await published(topics)
    assert Counter(each.tool_name for each in found) == {
        **{f"tool-{number}": 50 for number in range(20)},
        "other": 1,
    }
    assert execution.execution_id in {each.execution_id for each in found}


async def test_a_fork_begins_anew_and_the_parents_are_sent_once(topics: dict[str, str]) -> None:
    program = """
        many(0, 300)
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                assert (guard.buffered, guard.dropped) == (0, 0)
                many(0, 100)
                guard.close()
                os._exit(0)
            children.append(child)
        many(0, 300)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
    """
    assert run(program, topics) == 0
    found = await published(topics)
    assert len({each.execution_id for each in found}) == len(found) == 900


async def test_processes_of_multiprocessing_flush_at_their_end(topics: dict[str, str]) -> None:
    program = """
        import multiprocessing
        many(0, 10)
        children = [
            multiprocessing.get_context("fork").Process(target=many, args=(0, 100))
            for _ in range(2)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0
    """
    assert run(program, topics) == 0
    found = await published(topics)
    assert len({each.execution_id for each in found}) == len(found) == 210


async def test_what_is_spooled_survives_a_kill(topics: dict[str, str], tmp_path: Path) -> None:
    """A killed program has not even connected; the next one sends what it has left."""
    spool = {"ROLLGUARD_CLIENT_SPOOL_DIR": str(tmp_path)}
    assert run("many(0, 500); os.kill(os.getpid(), 9)", topics, **spool) == -signal.SIGKILL
    assert len(list(tmp_path.glob("*.spool"))) == 1
    assert run("many(0, 10)", topics, **spool) == 0
    found = await published(topics)
    assert len({each.execution_id for each in found}) == 510
    assert list(tmp_path.iterdir()) == []
