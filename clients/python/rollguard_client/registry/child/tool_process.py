"""One version of a tool in a process of its own, with limits.

The process has no environment variables, a folder of its own to work in, and limits on time, CPU,
memory, files and processes. Where the system allows it, it has no network. When it ends, everything
ends that the tool has started. It is no sandbox: it runs as the engine's user.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Sequence
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

from rollguard_client.calls.failures import NotJson, ToolFailed
from rollguard_client.registry.child.kept_process import KeptProcess

T = TypeVar("T")

CALL_LIMIT_S: Final = 10.0
CALLS_OF_A_PROCESS: Final = 1_000
"""After so many calls a new process takes over, because the CPU time of a process is limited."""
_OF_PARENT: Final[list[object]] = []
"""Processes of the process before a fork. They are kept: to give one up would close it for both."""


class ForgedAnswer(Exception):
    """The tool has written an answer itself, instead of returning or raising."""


class ToolProcess:
    """The process of one version, so that versions cannot affect each other.

    It is killed if a call takes more than ``limit_s`` seconds, and the next call starts a new one.
    Calls run one after the other.
    """

    def __init__(self, code: str, limit_s: float = CALL_LIMIT_S) -> None:
        self._code = code
        self._limit_s = limit_s
        self._process: KeptProcess | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._calls = 0
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
        A coroutine is awaited, and a generator is read. Raises ToolFailed, and NotJson if the
        arguments cannot travel.
        """
        question = _as_json({"args": args, "kwargs": kwargs})
        async with self._lock:
            if self._closed:
                raise RuntimeError("the tool process was closed")
            if self._calls >= CALLS_OF_A_PROCESS:
                await self._kill()
            process = self._process or await self._start()
            self._calls += 1
            await self._ask(process, question)
            try:
                [result] = await self._details(process, "result")
            except ToolFailed:
                return None
            return result

    def abandon(self) -> None:
        """Leave the process and its folder to the process that has forked this one."""
        if self._folder is not None:
            self._folder._finalizer.detach()  # type: ignore[attr-defined]
        _OF_PARENT.append(self._process)
        self._process = None

    async def close(self) -> None:
        """End the process after the current call, or at once if this call is cancelled."""
        try:
            async with self._lock:
                self._closed = True
        finally:
            await self._kill()
            if self._folder is not None:
                self._folder.cleanup()

    async def _start(self) -> KeptProcess:
        file, alarm_s = self._write_code(), math.ceil(self._limit_s) + 1
        process = await KeptProcess.start(file.parent, alarm_s * CALLS_OF_A_PROCESS)
        self._process, self._calls = process, 0
        try:
            await self._limited(process.require_separated())
            question = {"code": self._code, "file": str(file), "alarm_s": alarm_s}
            await self._ask(process, json.dumps(question))
            await self._details(process, "result")
        except ToolFailed:
            await self._kill()
            raise
        return process

    def _write_code(self) -> Path:
        """Write the code to a file that is the tool's ``__file__``."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="rollguard-tool-")
        file = Path(self._folder.name) / "tool.py"
        file.write_bytes(self._code.encode())
        return file

    async def _ask(self, process: KeptProcess, question: str) -> None:
        """Ask, and return if the tool has succeeded; otherwise raise ToolFailed."""
        if not await self._limited(_has_succeeded(process, question)):
            text, error_type = await self._details(process, "error", "error_type")
            raise ToolFailed(str(text), str(error_type))

    async def _details(self, process: KeptProcess, *names: str) -> list[Any]:
        """Return the result of the call or its error. ToolFailed if it cannot be read in time."""
        return await self._limited(_details_in(process, names))

    async def _limited(self, work: Awaitable[T]) -> T:
        """Kill the process if this takes too long or fails; raise ToolFailed that says why."""
        try:
            return await asyncio.wait_for(work, self._limit_s)
        except asyncio.TimeoutError:
            await self._kill()
            raise _failed("TimeoutError", f"no result within {self._limit_s:g} s") from None
        except (ChildProcessError, ForgedAnswer, RecursionError, ValueError) as error:
            await self._kill()
            raise _failed(type(error).__name__, str(error)) from None
        except BaseException:
            await self._kill()
            raise

    async def _kill(self) -> None:
        process, self._process, self._calls = self._process, None, 0
        if process is not None:
            await process.kill()


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotJson(f"arguments travel as JSON: {error}") from None


async def _has_succeeded(process: KeptProcess, question: str) -> bool:
    """Ask, and return whether the tool has succeeded.

    The verdict must have a nonce that is not sent before the tool has finished, so that the tool
    cannot write it while it runs.
    """
    await process.write_line(question)
    finished = await process.read_line()
    nonce = token_hex(16)
    await process.write_line(nonce)
    verdict = await process.read_line()
    if finished != "finished" or verdict not in (f"{nonce} ok", f"{nonce} failed"):
        raise ForgedAnswer("the tool has written an answer itself")
    return verdict == f"{nonce} ok"


async def _details_in(process: KeptProcess, names: Sequence[str]) -> list[Any]:
    details = json.loads(await process.read_line())
    if not isinstance(details, dict) or not details.keys() >= set(names):
        raise ForgedAnswer("the tool has written details itself")
    return [details[name] for name in names]


def _failed(kind: str, text: str) -> ToolFailed:
    return ToolFailed(f"{kind}: {text}", kind)
