"""The parent of the child process that compares code, for async callers.

The comparison is not made in this process, because it would block the event loop: half a megabyte
of code holds the GIL for a second. Also, some texts crash the Python that parses them, and some
take minutes or gigabytes. The child process has limits of time and memory, and none of our
environment variables.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from policy.breaking.finding import Finding, new_finding, one_line

_ROOT: Final = Path(__file__).parents[2]
"""The folder that holds our packages: a checkout or site-packages."""
_MAX_ANSWER_BYTES: Final = 1024**3  # as much as the child may allocate
_TIMES_CPU: Final = 5
"""How many times its CPU time an answer may take: on a busy machine the child gets only a part of a
processor. It may take no longer, because the caller waits for it."""
_START_S: Final = 30.0
"""How long the process may take to start and to answer for the first time."""

What = Literal["findings", "diff"]


class NotComparable(Exception):
    """The child process could not answer; the text says why."""

    def __init__(self, cause: str, limit: Literal["cpu", "time", None] = None) -> None:
        super().__init__(cause)
        self.limit = limit
        """The limit that was reached: of CPU time, which does not depend on what else the machine
        does, or of real time, which does; None for another reason."""

    @property
    def findings(self) -> list[Finding]:
        """One breaking finding that says so."""
        sentence = f"The code could not be compared: {one_line(str(self))}."
        return [new_finding("not_comparable", "", sentence, None)]


class CodeComparer:
    """One child process that answers one question after the other.

    The first question, ``start`` or ``async with`` starts the process; ``close`` ends it. If an
    answer takes more than ``cpu_s`` seconds of CPU time, or five times as long in real time, or if
    its question is cancelled, the process ends, and the next question starts a new one. The limit
    is of CPU time, so that the finding does not depend on what else the machine does.
    """

    def __init__(self, cpu_s: float = 10.0) -> None:
        self._cpu_s = cpu_s
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._is_closed = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the child process, so that the first question takes no longer than the others.

        Raises RuntimeError if the process cannot be started; a finding would look like a fault of
        the code.
        """
        try:
            await self._answer("findings", None, "", _START_S)
        except NotComparable as error:
            raise RuntimeError(error.findings[0].sentence) from error

    async def compare(self, old: str | None, new: str) -> list[Finding]:
        """Return what `compare_code` returns for the same arguments.

        If the child process fails, dies or takes too long, return one breaking finding of the kind
        'not_comparable'. Raises RuntimeError after ``close``.
        """
        try:
            return await self.try_compare(old, new)
        except NotComparable as error:
            return error.findings

    async def try_compare(self, old: str | None, new: str) -> list[Finding]:
        """Return what `compare_code` returns for the same arguments. Raises NotComparable."""
        found = await self._answer("findings", old, new, self._cpu_s * _TIMES_CPU)
        return [Finding(*fields) for fields in found]

    async def try_hunks(self, before: str, after: str) -> str:
        """Return what `hunks_of` returns for the same arguments. Raises NotComparable."""
        [hunks] = await self._answer("diff", before, after, self._cpu_s * _TIMES_CPU)
        return str(hunks)

    async def _answer(self, what: What, old: str | None, new: str, wait_s: float) -> list[Any]:
        question = json.dumps([what, old, new, self._cpu_s]).encode() + b"\n"
        async with self._lock:
            try:
                async with asyncio.timeout(wait_s):
                    answer = await self._ask(question)
            except TimeoutError:
                await self._kill()
                raise NotComparable(f"it took more than {wait_s:g} s", "time") from None
            except NotComparable:
                raise
            except BaseException:
                # Without this, a late answer would be read as the answer to the next question.
                await self._kill()
                raise
        if isinstance(answer, str):
            raise NotComparable(answer)
        found: list[Any] = answer
        return found

    async def close(self) -> None:
        """End the child process as soon as the current question is answered.

        If the call is cancelled, end the process at once.
        """
        self._is_closed = True
        try:
            async with self._lock:
                await self._kill()
        except asyncio.CancelledError:
            if self._process is not None and self._process.returncode is None:
                self._process.kill()
            raise

    async def _ask(self, question: bytes) -> Any:
        """Return the answer, or a text that says why there is none. Raises NotComparable."""
        was_running = self._process is not None
        line = await self._ask_process(question)
        status = None if line else await self._wait_for_end()
        if not line and was_running and status != -signal.SIGPROF:
            # it may have died before the question
            line = await self._ask_process(question)
            status = None if line else await self._wait_for_end()
        if line:
            return json.loads(line)
        if self._is_closed:
            raise RuntimeError("the code comparer was closed")
        if status == -signal.SIGPROF:
            raise NotComparable(f"it took more than {self._cpu_s:g} s of CPU time", "cpu")
        raise NotComparable(f"its process ended with status {status}")

    async def _ask_process(self, question: bytes) -> bytes:
        """Return the answer of the child process, which is started if there is none.

        Return no bytes if the process has died.
        """
        if self._is_closed:
            raise RuntimeError("the code comparer was closed")
        if self._process is None:
            self._process = await self._start_process()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(question)
            await process.stdin.drain()
        except ConnectionError:
            return b""
        return await process.stdout.readline()

    async def _start_process(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agents.comparer.child"),
            cwd=_ROOT,
            env={},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_MAX_ANSWER_BYTES,
        )

    async def _wait_for_end(self) -> int | None:
        """Wait until a dying child process has ended, and return its exit status.

        No signal is sent: one that arrives now could make asyncio lose the real status, for which
        it then returns 255.
        """
        process = self._process
        if process is None:
            return None
        await process.communicate()  # reads to the end, so that the pipes are closed
        self._process = None
        return process.returncode

    async def _kill(self) -> None:
        """Kill the child process if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.communicate()
