"""Publishing never raises and never waits, whatever goes wrong; Kafka is away here."""

import gc
import logging
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from waiting import wait_until

from rollguard_client import Execution, Misconfigured, Rollguard
from rollguard_client.publishing import delivery, spool
from rollguard_client.publishing.batches import BatchSender, Sent
from rollguard_client.publishing.buffer import Record
from rollguard_client.publishing.ids import random_ids
from rollguard_client.publishing.publisher import Publisher
from rollguard_client.publishing.spool import Spool

AWAY = "127.0.0.1:1"
# Python 3.12 and later warn of what these tests are about.
forks = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def test_a_wrong_setting_is_an_error_at_construction() -> None:
    with pytest.raises(Misconfigured, match="buffer_records"):
        Rollguard(buffer_records=-1)
    with pytest.raises(Misconfigured, match="either settings or single values"):
        Rollguard(Rollguard(kafka_brokers=AWAY).settings, wait_s=1)


def test_no_thread_before_the_first_call() -> None:
    before = threading.active_count()
    guard = Rollguard(kafka_brokers=AWAY)
    assert threading.active_count() == before
    guard.tool("t")(os.getpid)()
    assert threading.active_count() == before + 1
    guard.close(0)
    assert threading.active_count() == before


def test_what_is_no_execution_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    guard = Rollguard(kafka_brokers=AWAY)
    wrong: Any = {"tool_name": "t"}
    guard.publish(wrong)
    guard.publish(wrong)
    assert (guard.dropped, guard.buffered) == (2, 0)
    assert [each.getMessage() for each in caplog.records] == ["an execution could not be published"]


def test_an_execution_of_ones_own() -> None:
    guard = Rollguard(kafka_brokers=AWAY)
    execution = Execution.now("t", False, error="no", cost=1.5)
    assert (execution.success, execution.error, execution.cost) == (False, "no", 1.5)
    assert abs(execution.executed_at.timestamp() - time.time()) < 60
    guard.publish(execution)
    assert guard.buffered == 1
    guard.close(0)


def test_a_thread_that_cannot_start_stops_no_tool(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    guard = Rollguard(kafka_brokers=AWAY)

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    tool = guard.tool("t")(os.getpid)
    assert [tool() == os.getpid() for _ in range(3)] == [True] * 3
    assert guard.buffered == 3
    assert [each.getMessage() for each in caplog.records] == [
        "the thread that publishes executions cannot start: can't start new thread"
    ]


def test_the_buffer_drops_the_oldest_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        guard = Rollguard(kafka_brokers=AWAY, buffer_records=100)
        tool = guard.tool("t")(os.getpid)
        for _ in range(1_000):
            tool()
        wait_until(lambda: "wait for Kafka" in caplog.text)
        assert (guard.buffered, guard.dropped) == (100, 900)
        assert not guard.flush(0)
        guard.close(0)
    said = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert len(said) == 2
    assert said[0].startswith("executions wait for Kafka at 127.0.0.1:1 (")
    assert said[1] == "100 executions are not in Kafka"


def test_a_fault_of_a_library_loses_nothing_and_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    async def start(_sender: BatchSender) -> None:
        tries.append(1)
        raise ValueError("odd")

    monkeypatch.setattr(BatchSender, "start", start)
    guard = Rollguard(kafka_brokers=AWAY)
    guard.tool("t")(os.getpid)()
    wait_until(lambda: len(tries) >= 3)
    assert (guard.buffered, guard.dropped) == (1, 0)
    assert [each.getMessage().partition(" (")[0] for each in caplog.records] == [
        "publishing failed; it is tried again",
        f"executions wait for Kafka at {AWAY}",
    ]
    guard.close(0)


def test_a_function_of_the_engine_may_raise_anything_and_close_the_client(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def nothing(_sender: BatchSender, *_: object) -> None:
        return

    async def send(_sender: BatchSender, records: Sequence[Record]) -> Sent:
        return Sent(len(records), 0, [], None)

    for name, function in (("start", nothing), ("stop", nothing), ("send", send)):
        monkeypatch.setattr(BatchSender, name, function)
    guard, ended = Rollguard(kafka_brokers=AWAY), []

    def end(execution: Execution) -> None:
        ended.append(execution)
        if len(ended) == 3:
            guard.close()
        else:
            sys.exit(3)

    guard.on_published.append(end)
    tool = guard.tool("t")(os.getpid)
    tool()
    wait_until(lambda: len(ended) == 1)
    thread = guard._publisher.background._thread
    assert thread is not None
    tool()
    wait_until(lambda: len(ended) == 2)
    tool()
    thread.join(60)
    assert not thread.is_alive()
    assert [each.getMessage() for each in caplog.records] == [
        "a function of the engine has failed"
    ] * 2


def test_a_flush_waits_for_what_was_published_before_and_for_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kafka takes what it is sent but the first record, and there is always something new."""
    sent: list[bytes] = []
    refuses_first = True

    async def nothing(_sender: BatchSender, *_: object) -> None:
        return

    async def send(_sender: BatchSender, records: Sequence[Record]) -> Sent:
        left = [each for each in records if each.value == first and refuses_first]
        sent.extend([each.value for each in records if each not in left])
        guard.publish(Execution.now("t", True))
        return Sent(len(records) - len(left), 0, left, None)

    for name, function in (("start", nothing), ("stop", nothing), ("send", send)):
        monkeypatch.setattr(BatchSender, name, function)
    guard = Rollguard(kafka_brokers=AWAY)
    executions = [Execution.now("t", True) for _ in range(10)]
    first = executions[0].to_bytes()
    for each in executions:
        guard.publish(each)
    wait_until(lambda: len(sent) >= 100)
    assert not guard.flush(0.1)
    refuses_first = False
    assert guard.flush(120)
    assert first in sent
    assert guard.buffered > 0
    guard.close(0)


def test_what_many_processes_have_left_is_sent_a_file_at_a_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spool, "_FILE_BYTES", 10_000)
    left = Spool(tmp_path)
    written = [Execution.now("t", True).to_bytes() for _ in range(1_000)]
    for each in written:
        left.append(each)
    left.abandon()
    sent: list[bytes] = []
    most = 0

    async def nothing(_sender: BatchSender, *_: object) -> None:
        return

    async def send(_sender: BatchSender, records: Sequence[Record]) -> Sent:
        nonlocal most
        most = max(most, guard.buffered)
        sent.extend(each.value for each in records)
        return Sent(len(records), 0, [], None)

    for name, function in (("start", nothing), ("stop", nothing), ("send", send)):
        monkeypatch.setattr(BatchSender, name, function)
    monkeypatch.setattr(delivery, "_AT_ONCE", 10)
    guard = Rollguard(kafka_brokers=AWAY, spool_dir=tmp_path)
    own = Execution.now("t", True)
    guard.publish(own)
    guard.close(120)
    assert sorted(sent) == sorted([*written, own.to_bytes()])
    assert most < 100
    assert not list(tmp_path.iterdir())


def test_another_thread_with_the_number_of_ours_is_heard() -> None:
    """The system gives a new thread the number of one that has ended."""
    guard = Rollguard(kafka_brokers=AWAY)
    guard.tool("t")(os.getpid)()
    thread = guard._publisher.background._thread
    assert thread is not None
    log = logging.getLogger("asyncio")
    record = log.makeRecord(log.name, logging.ERROR, "file", 1, "lost", (), None)
    record.thread = thread.ident
    wait_until(lambda: not log.filter(record))
    guard.close(0)
    assert log.filter(record)


def test_large_errors_count_by_their_size() -> None:
    guard = Rollguard(kafka_brokers=AWAY, buffer_bytes=1_000_000)

    @guard.tool
    def failing() -> None:
        raise ValueError("x" * 100_000)

    for _ in range(1_000):
        with pytest.raises(ValueError, match="x"):
            failing()
    assert guard.buffered < 100
    assert guard.buffered + guard.dropped == 1_000
    guard.close(0)


def test_a_closed_client_lets_tools_run() -> None:
    guard = Rollguard(kafka_brokers=AWAY)
    guard.close()
    guard.close()
    assert guard.tool("t")(os.getpid)() == os.getpid()
    assert guard.flush(0) is False


@forks
def test_a_child_begins_anew(tmp_path: Path) -> None:
    """The parent's records stay the parent's, also in the spool."""
    guard = Rollguard(kafka_brokers=AWAY, spool_dir=tmp_path)
    tool = guard.tool("t")(os.getpid)
    tool()
    child = os.fork()
    if child == 0:
        os._exit(
            7
            if (guard.buffered, guard.dropped, tool() > 0, guard.buffered) == (0, 0, True, 1)
            else 1
        )
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert guard.buffered == 1
    assert len(list(tmp_path.iterdir())) == 2
    guard.close(0)


@forks
def test_a_fork_within_a_call_publishes_it_once() -> None:
    guard = Rollguard(kafka_brokers=AWAY)
    pid = guard.tool("fork")(os.fork)()
    if pid == 0:
        os._exit(7 if guard.buffered == 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert guard.buffered == 1
    guard.close(0)


def test_a_program_ends_within_the_limit_and_says_what_is_left() -> None:
    program = (
        "from rollguard_client import Rollguard\n"
        f"guard = Rollguard(kafka_brokers='{AWAY}', flush_s=0.3)\n"
        "guard.tool('t')(len)('abc')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == "1 executions are not in Kafka"
    assert len(done.stderr.splitlines()) <= 2


def test_ids_are_random_uuids() -> None:
    new_id = random_ids()
    ids = [UUID(new_id()) for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert {(each.version, each.variant) for each in ids} == {(4, "specified in RFC 4122")}


def test_the_import_is_light() -> None:
    heavy = "{'aiokafka', 'asyncio', 'concurrent.futures', 'ssl', 'multiprocessing'}"
    program = (
        f"import sys; from rollguard_client import Rollguard; print({heavy} & {{*sys.modules}})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_publishers_are_not_kept_alive() -> None:
    publisher = weakref.ref(Publisher(Rollguard(kafka_brokers=AWAY).settings))
    gc.collect()
    assert publisher() is None
