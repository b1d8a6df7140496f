"""One version of a tool in a child process of its own, with a time limit for each call."""

import asyncio
import json
import math
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rollguard.client import ToolVersion

CALL_LIMIT_S: Final = 10.0
_RUNNER: Final = str(Path(__file__).with_name("runner.py"))
_MAX_LINE_BYTES: Final = 16 * 1024 * 1024


class ToolFailed(Exception):
    """A tool raised an exception, died or took too long.

    ``error_type`` is the class name of the exception in the tool process, and the text is
    ``ClassName: message``.
    """

    def __init__(self, text: str, error_type: str) -> None:
        super().__init__(text)
        self.error_type = error_type


class ToolProcess:
    """The child process of one version, so that versions cannot affect each other.

    It is killed if a call takes more than ``limit_s`` seconds, and the next call starts a new one.
    Calls run one after the other.
    """

    def __init__(self, version: ToolVersion, limit_s: float = CALL_LIMIT_S) -> None:
        self._version = version
        self._limit_s = limit_s
        self._process: asyncio.subprocess.Process | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._lock = asyncio.Lock()
        self._closed = False

    async def start(self) -> None:
        """Start the process and load the code. Raises ToolFailed if the code cannot be loaded."""
        async with self._lock:
            await self._start()

    async def call(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the tool's ``execute(*args, **kwargs)`` returns.

        Arguments and results travel as JSON. What JSON cannot express is returned as text, and None
        is returned for what cannot be shown at all: a call has succeeded if the tool has returned.
        A coroutine is awaited, and a generator is read. Raises ToolFailed.
        """
        async with self._lock:
            if self._closed:
                raise RuntimeError("the tool process was closed")
            if self._process is None:
                await self._start()
            await self._ask({"args": args, "kwargs": kwargs})
            return await self._result()

    async def close(self) -> None:
        """End the process after the current call, or at once if this call is cancelled."""
        try:
            async with self._lock:
                self._closed = True
        finally:
            await self._kill()
            if self._folder is not None:
                self._folder.cleanup()

    async def _start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", _RUNNER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_MAX_LINE_BYTES,
            start_new_session=True,
        )
        try:
            await self._ask(
                {
                    "code": self._version.code,
                    "file": str(self._write_code()),
                    "alarm_s": math.ceil(self._limit_s) + 1,
                }
            )
        except ToolFailed:
            await self._kill()
            raise

    def _write_code(self) -> Path:
        """Write the code to a file that is the tool's ``__file__``."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="rollguard-tool-")
        file = Path(self._folder.name) / "tool.py"
        file.write_bytes(self._version.code.encode())
        return file

    async def _ask(self, question: dict[str, Any]) -> None:
        """Ask, and return if the tool has succeeded; otherwise raise ToolFailed."""
        assert self._process is not None
        try:
            reply = await self._reply(self._process, question)
        except BaseException:
            await self._kill()
            raise
        if not reply["success"]:
            raise ToolFailed(reply["error"], reply["error_type"])

    async def _result(self) -> Any:
        """Return the result of the call that has succeeded; None if it cannot be shown in time."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(self._limit_s):
                return json.loads(await self._process.stdout.readline())["result"]
        except (TimeoutError, ConnectionError, ValueError):
            await self._kill()
            return None

    async def _reply(
        self, process: asyncio.subprocess.Process, question: dict[str, Any]
    ) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self._limit_s):
                process.stdin.write(json.dumps(question).encode() + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
                if not line:
                    status = await process.wait()
                    raise _failed(ChildProcessError, f"the tool's process ended with {status}")
        except TimeoutError:
            raise _failed(TimeoutError, f"no result within {self._limit_s:g} s") from None
        except ConnectionError:
            raise _failed(ChildProcessError, "the tool's process is gone") from None
        reply: dict[str, Any] = json.loads(line)
        return reply

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.communicate()  # reads to the end, so that the pipes are closed


class ToolProcessLoader:
    """The loader that the engine gives to its `ToolRegistry`: one tool process for each version."""

    def __init__(self, limit_s: float = CALL_LIMIT_S) -> None:
        self._limit_s = limit_s

    async def load(self, version: ToolVersion) -> ToolProcess:
        """Return a tool process that has loaded the code. Raises ToolFailed."""
        process = ToolProcess(version, self._limit_s)
        await process.start()
        return process

    async def unload(self, tool: ToolProcess) -> None:
        """End the tool process after its current call."""
        await tool.close()


def _failed(kind: type[Exception], message: str) -> ToolFailed:
    return ToolFailed(f"{kind.__name__}: {message}", kind.__name__)
