"""Tools of the example engine that attack it: what they see, what they leave, what they forge."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
import pytest_asyncio

from rollguard_client import ToolFailed
from rollguard_client.registry.child import keeper, kept_process, tool_process
from tests.support.engines.tool_process import running_tool
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
NAMESPACES = "0x10000000 | 0x20000000 | 0x40000000"
linux = pytest.mark.skipif(sys.platform != "linux", reason="the keeper needs Linux")


def _permits_namespaces() -> bool:
    program = shutil.which("unshare")
    return program is not None and not subprocess.call([program, "-Unpf", "true"])


namespaces = pytest.mark.skipif(not _permits_namespaces(), reason="not permitted here")


@pytest.fixture
def no_namespaces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run a keeper whose namespaces the system refuses."""
    code = Path(keeper.__file__).read_text()
    assert NAMESPACES in code
    (tmp_path / "keeper.py").write_text(code.replace(NAMESPACES, "1"))
    runner = Path(keeper.RUNNER).read_text()
    (tmp_path / "runner.py").write_text(runner)
    monkeypatch.setattr(kept_process, "_KEEPER", str(tmp_path / "keeper.py"))


@pytest.fixture(params=["namespaces", "no namespaces"])
def either(request: pytest.FixtureRequest) -> None:
    """Run with the namespaces that the system permits, and without any."""
    if request.param == "no namespaces":
        request.getfixturevalue("no_namespaces")


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """Listen on a port of this machine, as a broker or a database does."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def error_of(code: str, *args: object) -> str | None:
    """Return the class name of the error with which ``execute(*args)`` fails."""
    async with running_tool(code) as process:
        try:
            await process.call(*args)
        except ToolFailed as error:
            return error.error_type
    return None


@pytest.mark.usefixtures("either")
async def test_a_tool_has_no_environment_and_works_in_its_own_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROLLGUARD_KAFKA_PASSWORD", "secret")
    code = "import os\ndef execute(): return [dict(os.environ), os.getcwd(), __file__]"
    async with running_tool(code) as process:
        environment, folder, file = await process.call()
    assert "secret" not in environment.values()
    assert environment.keys() <= {"LC_CTYPE"}  # what Python itself sets
    assert Path(file).parent == Path(folder) != Path.cwd()


@namespaces
async def test_a_tool_reaches_no_network_and_reads_no_environment_of_the_engine(port: int) -> None:
    connect = "import socket\ndef execute(port): socket.create_connection(('127.0.0.1', port), 5)"
    read = "def execute(pid): open(f'/proc/{pid}/environ').read()"
    assert await error_of(connect, port) == "OSError"
    assert await error_of(read, os.getpid()) == "PermissionError"


@pytest.mark.usefixtures("no_namespaces")
async def test_it_is_logged_once_that_tools_have_the_network(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    kept_process._warn_of_network.cache_clear()
    code = "import socket\ndef execute(port): socket.create_connection(('127.0.0.1', port), 5)"
    for _ in range(2):
        assert await error_of(code, port) is None
    [entry] = [each for each in caplog.records if each.name == "rollguard_client"]
    assert entry.levelname == "WARNING"
    assert "not permitted: Invalid argument" in entry.getMessage()


SLEEP = "import time; time.sleep(600)"
LEAVES = {
    "a child": "subprocess.Popen(command)",
    "a grandchild in a session of its own": "subprocess.Popen("
    "[sys.executable, '-S', '-c', f'import subprocess; subprocess.Popen({command!r}, '"
    "'start_new_session=True)']).wait()",
    "a daemon": "daemon()",
}
TOOL = """
import os, signal, subprocess, sys

def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 64)
            os.execv(sys.executable, command)
        os._exit(0)

def execute(mark, how):
    global command
    command = [sys.executable, "-S", "-c", "{sleep}", mark]
    {leaves}
    signal.alarm(0)
    while how == "runs on":
        pass
    if how == "ends":
        os._exit(3)
"""


@pytest.fixture
def mark() -> str:
    """Return an argument by which the processes of this test are found."""
    return f"mark-{uuid4()}"


def marked(mark: str) -> list[int]:
    """Return the processes that have the mark and are not dead."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if mark in (process.info["cmdline"] or ())
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


@linux
@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("how", ["returns", "ends"])
@pytest.mark.parametrize("kind", LEAVES)
async def test_nothing_that_a_tool_started_outlives_it(kind: str, how: str, mark: str) -> None:
    code = TOOL.format(leaves=LEAVES[kind], sleep=SLEEP)
    async with running_tool(code) as process:
        if how == "ends":
            with pytest.raises(ToolFailed, match="ended with 3"):
                await process.call(mark, how)
            assert marked(mark) == []
        else:
            await process.call(mark, how)
            await until(lambda: _is_there(mark))
    assert marked(mark) == []


async def _is_there(mark: str) -> bool:
    return marked(mark) != []


BUSY_ENGINE = """
import asyncio, sys
from tests.support.engines.tool_process import running_tool

async def main():
    async with running_tool(sys.argv[1], 600) as process:
        await process.call(sys.argv[2], "runs on")

asyncio.run(main())
"""


@linux
async def test_a_tool_that_never_ends_does_not_outlive_a_killed_engine(mark: str) -> None:
    code = TOOL.format(leaves=LEAVES["a daemon"], sleep=SLEEP)
    engine = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BUSY_ENGINE, code, mark, cwd=ROOT
    )
    await until(lambda: _is_left(mark, engine.pid))
    tools = psutil.Process(engine.pid).children(recursive=True)
    engine.kill()
    await engine.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, tools, 120)
    assert len(tools) >= 3
    assert alive == []
    assert marked(mark) == []


async def _is_left(mark: str, engine: int) -> bool:
    return bool(set(marked(mark)) - {engine})


@linux
@pytest.mark.usefixtures("either")
async def test_a_tool_that_stops_itself_and_ignores_signals_is_ended_in_time() -> None:
    code = (
        "import os, signal\n"
        "def execute():\n"
        "    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):\n"
        "        signal.signal(number, signal.SIG_IGN)\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    async with running_tool(code) as process:
        process._limit_s = 1
        with pytest.raises(ToolFailed, match="no result within 1 s"):
            await process.call()


@linux
@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        ("def execute(): bytearray(3 * 1024**3)", "MemoryError"),
        ("def execute(): open('x', 'wb').write(bytes(65 * 1024**2))", "OSError"),
        ("def execute(): [open(__file__) for _ in range(70)].pop().close()", "OSError"),
    ],
)
async def test_memory_files_and_descriptors_are_limited(code: str, error_type: str) -> None:
    assert await error_of(code) == error_type


@linux
@pytest.mark.usefixtures("either")
async def test_a_tool_cannot_raise_its_limits() -> None:
    code = (
        "import resource as r\n"
        "KINDS = (r.RLIMIT_CPU, r.RLIMIT_AS, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE, r.RLIMIT_NPROC)\n"
        "def execute(): return [r.getrlimit(each) for each in (*KINDS, r.RLIMIT_CORE)]\n"
    )
    async with running_tool(code, limit_s=60) as process:
        limits = await process.call()
    for (soft, hard), most in zip(
        limits,
        (
            *(61 * tool_process.CALLS_OF_A_PROCESS, keeper.MEMORY_BYTES, keeper.FILE_BYTES),
            *(keeper.OPEN_FILES, 1_000_000, 0),
        ),
        strict=True,
    ):
        assert 0 <= soft == hard <= most


FORKS = """
import os, signal
from rollguard_client.registry.child import keeper

if os.getuid() == 0:  # the system does not limit root
    os.setuid(54321)
keeper.limit(60, keeper.threads_of_user() + keeper.PROCESSES)
started = []
try:
    while len(started) < 1_000:
        started.append(os.fork())
        if not started[-1]:
            signal.pause()
except BlockingIOError:
    pass
for pid in started:
    os.kill(pid, signal.SIGKILL)
print(len(started))
"""


@linux
def test_a_user_can_start_only_some_processes_more() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 0 < int(done.stdout) < 2 * keeper.PROCESSES


async def test_a_new_process_takes_over_after_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_process, "CALLS_OF_A_PROCESS", 2)
    code = "calls = []\ndef execute():\n    calls.append(1)\n    return len(calls)"
    async with running_tool(code) as process:
        assert [await process.call() for _ in range(5)] == [1, 2, 1, 2, 1]


WRITE = """
import os
def write(text):
    for number in range(64):
        try:
            os.write(number, text)
        except OSError:
            pass
"""
FORGERIES = {
    "an answer": "write(b'finished\\n' + b'0' * 32 + b' ok\\n{\"result\": 1}\\n')",
    "an answer without a nonce": "write(b'finished\\n ok\\n{\"result\": 1}\\n')",
    "two verdicts": "write(b'ok\\n' * 2)",
    "nothing but a line": "write(b'\\n')",
    "an answer, and an end": "write(b'finished\\nok\\n{\"result\": 1}\\n'); os._exit(0)",
    "a line without end": "write(b'x' * 60_000)",
    "bytes": "write(b'\\xff\\n' * 3)",
    "json": 'import json; json.dumps = lambda *_, **__: \'{"success": true, "result": 1}\'',
    "writing": "os.write = lambda number, text: None",
    "printing": "import builtins; builtins.print = lambda *_, **__: None",
    "exceptions": "import builtins; builtins.BaseException = ZeroDivisionError",
    "the runner": "import __main__\n    for name in ('done', 'details', 'shown', '_text', 'serve'):"
    "\n        setattr(__main__, name, lambda *_: None)",
    "the runner's writing": "import sys; sys._getframe(1).f_globals['os'] = None",
    "standard streams": "import sys; sys.stdout = sys.stderr = None; os.closerange(0, 3)",
    "a closed descriptor": "os.closerange(0, 64)",
}


@pytest.mark.parametrize("kind", FORGERIES)
async def test_no_forgery_turns_a_failure_into_a_success(kind: str) -> None:
    code = f"{WRITE}\ndef execute():\n    {FORGERIES[kind]}\n    raise TypeError('missing')\n"
    async with running_tool(code) as process:
        process._limit_s = 5
        for _ in range(2):
            with pytest.raises(ToolFailed):
                await process.call()


async def test_the_nonce_is_not_there_while_the_tool_runs() -> None:
    code = """
import gc, os, re, sys

def texts():
    frame = sys._getframe()
    while frame:
        yield from map(repr, frame.f_locals.values())
        frame = frame.f_back
    for each in gc.get_objects():
        if type(each) in (dict, list, tuple) and len(each) < 100:
            yield repr(each)
    for number in range(64):
        try:
            os.set_blocking(number, False)
            yield repr(os.read(number, 10_000))
        except OSError:
            pass
        finally:
            try:
                os.set_blocking(number, True)
            except OSError:
                pass

def execute():
    return [text for text in texts() if re.search(r"\\b[0-9a-f]{32}\\b", text)][:3]
"""
    async with running_tool(code) as process:
        for _ in range(2):
            assert await process.call() == []


async def test_details_that_a_tool_has_forged_do_not_stop_the_engine() -> None:
    code = """
import os, threading, time

def forge():
    time.sleep(0.05)
    for number in range(3, 64):
        try:
            os.write(number, b'[' * 50_000 + b'\\n[]\\n')
        except OSError:
            pass

def execute(is_late):
    if is_late:
        threading.Thread(target=forge).start()
    return 'plain'
"""
    async with running_tool(code) as process:
        assert await process.call(True) == "plain"

        async def seen() -> object:
            try:
                return await process.call(False)
            except ToolFailed as failed:
                return failed.error_type

        while (found := await seen()) == "plain":  # nothing is forged yet
            await asyncio.sleep(0.01)
        assert found in ("ForgedAnswer", None), "None: it came after the verdict"
        assert await process.call(False) == "plain"
