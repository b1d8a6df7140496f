"""`CodeComparer` with real child processes: answers, crashes, time limits, cancellation, ends."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import psutil
import pytest
import pytest_asyncio
import uvloop

from agents.comparer.code_comparer import CodeComparer
from policy.breaking.compare import compare_code
from policy.breaking.finding import Finding, is_breaking
from tests.support.children import children_of

OLD = "def execute(path, depth=1): ...\n"
NEW = "async def execute(path): ...\n"
FUNCTIONS = [f"def f{i}(a, b: int = {i}):\n    return a + b\n" for i in range(10_000)]
SOME, MANY = "\n".join(FUNCTIONS[:800]), "\n".join(FUNCTIONS)


@pytest_asyncio.fixture
async def comparer() -> AsyncIterator[CodeComparer]:
    async with CodeComparer() as running:
        yield running


def children() -> list[psutil.Process]:
    """Return the comparers' child processes of this process, zombies included."""
    found = []
    for child in psutil.Process().children():
        try:
            if child.status() == psutil.STATUS_ZOMBIE or "agents.comparer.child" in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


async def test_it_answers_as_compare_code_does(comparer: CodeComparer) -> None:
    pairs = [
        (OLD, NEW),
        (OLD, OLD),
        (None, OLD),
        (OLD, "def f(:"),
        ("def f(:", OLD),
        (OLD, "x = '\ud800'\0"),
        ("X = 'ä🐍'\r\n", "\u2028"),
    ]
    for old, new in pairs:
        assert await comparer.compare(old, new) == compare_code(old, new)
    answers = await asyncio.gather(*(comparer.compare(*pair) for pair in pairs * 5))
    assert answers == [compare_code(*pair) for pair in pairs] * 5
    assert len(children()) == 1


async def test_the_event_loop_runs_on_while_ten_thousand_functions_are_compared(
    comparer: CodeComparer,
) -> None:
    gaps: list[float] = []
    heartbeat = asyncio.create_task(_note_gaps(gaps))
    findings = await comparer.compare(MANY, MANY.replace("(a, b", "(b"))
    heartbeat.cancel()
    assert len(findings) == 10_000
    assert len(gaps) > 20
    assert max(gaps) < 0.1 + 0.02


async def _note_gaps(gaps: list[float]) -> None:
    """Sleep again and again, and note how long each sleep of 20 ms really took."""
    loop = asyncio.get_running_loop()
    last = loop.time()
    while True:
        await asyncio.sleep(0.02)
        now = loop.time()
        gaps.append(now - last)
        last = now


async def test_long_code_is_compared(comparer: CodeComparer) -> None:
    old = "X = [" + "1, " * 160_000 + "]"
    assert await comparer.compare(old, "") == compare_code(old, "")


async def test_a_child_that_died_before_the_question_is_replaced(comparer: CodeComparer) -> None:
    [child] = children()
    child.kill()
    assert await comparer.compare(OLD, NEW) == compare_code(OLD, NEW)
    assert child not in children()


async def test_a_question_that_crashes_the_child(
    comparer: CodeComparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _start_instead(monkeypatch, "import os, sys; sys.stdin.readline(); os.abort()")
    _kill_children()
    _check_failed(await comparer.compare(OLD, ""), "status -6")
    monkeypatch.undo()
    assert await comparer.compare(OLD, NEW) == compare_code(OLD, NEW)


async def test_a_question_that_takes_too_much_cpu_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.comparer.code_comparer._TIMES_CPU", 100)
    comparer = CodeComparer(cpu_s=0.3)
    await comparer.start()
    [child] = children()
    _check_failed(await comparer.compare(MANY * 3, ""), "more than 0.3 s of CPU time")
    assert not child.is_running()
    assert await comparer.compare(OLD, NEW) == compare_code(OLD, NEW)
    await comparer.close()
    assert children() == []


async def test_a_busy_machine_changes_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes take the processor, so that an answer takes longer than the limit."""
    monkeypatch.setattr("agents.comparer.code_comparer._TIMES_CPU", 100)
    spin = "import os\nwhile os.getppid() != 1: pass"
    processor = {min(os.sched_getaffinity(0))}
    others = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", spin), preexec_fn=lambda: os.sched_setaffinity(0, processor)
        )
        for _ in range(3)
    ]
    comparer = CodeComparer()
    await comparer.start()
    try:
        [child] = children_of(os.getpid(), "agents.comparer.child")
        os.sched_setaffinity(child.pid, processor)
        before, started = sum(child.cpu_times()[:2]), time.monotonic()
        await comparer.compare(SOME, "")
        used_s = sum(child.cpu_times()[:2]) - before
        took_s = time.monotonic() - started
        comparer._cpu_s = used_s * 2
        assert took_s > comparer._cpu_s, "the machine was not busy"
        assert await comparer.compare(SOME, "") == compare_code(SOME, "")
    finally:
        for other in others:
            other.kill()
            await other.wait()
        await comparer.close()


async def test_a_child_that_gets_no_processor_is_not_waited_for() -> None:
    comparer = CodeComparer(cpu_s=0.2)
    await comparer.start()
    [child] = children()
    child.suspend()
    _check_failed(await comparer.compare(OLD, NEW), "more than 1 s.")
    assert not child.is_running()
    assert await comparer.compare(OLD, NEW) == compare_code(OLD, NEW)
    await comparer.close()
    assert children() == []


async def test_the_answer_to_a_cancelled_question_is_not_taken_for_the_next_one(
    comparer: CodeComparer,
) -> None:
    [child] = children()
    question = asyncio.create_task(comparer.compare(MANY, ""))
    await asyncio.sleep(0.2)
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question
    assert not child.is_running()
    assert await comparer.compare(OLD, NEW) == compare_code(OLD, NEW)


async def test_a_waiting_question_can_be_cancelled_without_effect_on_others(
    comparer: CodeComparer,
) -> None:
    first = asyncio.create_task(comparer.compare(OLD, NEW))
    second = asyncio.create_task(comparer.compare(OLD, ""))
    await asyncio.sleep(0)
    second.cancel()
    assert await first == compare_code(OLD, NEW)


async def test_close_waits_for_the_current_question_and_leaves_no_process() -> None:
    comparer = CodeComparer()  # its first question starts it
    question = asyncio.create_task(comparer.compare(OLD, NEW))
    await asyncio.sleep(0)
    await comparer.close()
    assert await question == compare_code(OLD, NEW)
    assert children() == []
    await comparer.close()
    with pytest.raises(RuntimeError, match="closed"):
        await comparer.compare(OLD, NEW)
    assert children() == []


async def test_a_cancelled_close_ends_the_current_question(comparer: CodeComparer) -> None:
    question = asyncio.create_task(comparer.compare(MANY, ""))
    await asyncio.sleep(0.1)
    closing = asyncio.create_task(comparer.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(RuntimeError, match="closed"):
        await question
    assert children() == []


async def test_the_child_ignores_ctrl_c(comparer: CodeComparer) -> None:
    [child] = children()
    child.send_signal(signal.SIGINT)
    assert await comparer.compare(OLD, NEW) == compare_code(OLD, NEW)
    assert children() == [child]


def test_uvloop_works_and_no_process_is_left() -> None:
    async def ask() -> None:
        async with CodeComparer() as comparer:
            assert await comparer.compare(OLD, NEW) == compare_code(OLD, NEW)
            question = asyncio.create_task(comparer.compare(MANY, ""))
            await asyncio.sleep(0.1)
            question.cancel()
            await asyncio.wait([question])
            assert await comparer.compare(OLD, NEW) == compare_code(OLD, NEW)

    uvloop.run(ask())
    assert children() == []


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
async def test_the_child_ends_with_its_parent(busy: bool) -> None:
    """A busy child ends when its comparison ends, or at its limit, which is 2 s here."""
    program = (
        "import asyncio, os\nfrom agents.comparer.code_comparer import CodeComparer\n"
        "async def main():\n"
        "    comparer = CodeComparer(cpu_s=2.0)\n    await comparer.start()\n"
        "    print(comparer._process.pid, flush=True)\n"
        f"    code = ''.join(f'def f{{i}}(): ...\\n' for i in range({300_000 if busy else 1}))\n"
        "    asyncio.ensure_future(comparer.compare(code, ''))\n"
        "    await asyncio.sleep(1.0)\n    os._exit(0)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await parent.communicate()
    pid = int(output)
    async with asyncio.timeout(120):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.05)


async def test_out_of_memory_is_a_finding(
    comparer: CodeComparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = "import resource\nfrom agents.comparer import child\n"
    limited += "child.MAX_MEMORY_BYTES = 120 * 1024 ** 2\nchild.main()"
    _start_instead(monkeypatch, limited)
    _kill_children()
    findings = await comparer.compare("X = 1", "X = [" + "1, " * 3_000_000 + "]")
    assert is_breaking(findings)
    assert "Memory" in findings[0].sentence


def _start_instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Start this program instead of the child process."""
    start: Callable[..., Any] = asyncio.create_subprocess_exec

    async def start_instead(*_: str, **options: Any) -> Any:
        return await start(sys.executable, "-c", program, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start_instead)


def _kill_children() -> None:
    """Kill the child processes, so that the next question starts a new one."""
    for child in children():
        child.kill()


def _check_failed(findings: list[Finding], reason: str) -> None:
    [finding] = findings
    assert (finding.severity, finding.kind) == ("breaking", "not_comparable")
    assert reason in finding.sentence
