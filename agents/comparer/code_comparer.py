"""`compare_code` for async code: in a process of its own, so that the event loop never waits.

Half a megabyte of code takes a second with the GIL held, and some texts end the Python that parses
them.
"""

import asyncio
import json
import math
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from policy.breaking.finding import Finding, new_finding, one_line

_ROOT: Final = Path(__file__).parents[2]
_MAX_ANSWER_BYTES: Final = 2 * 1024**3  # as much as the child may hold


class CodeComparer:
    """One child process that answers one question after the other.

    Started by the first question, by ``start`` or by ``async with``; ended by ``close``. A child
    that needs more than ``timeout_s`` seconds, or whose question is cancelled, is killed, and the
    next question starts another.
    """

    def __init__(self, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._closed = False

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
        """Have the child ready, so that the first question takes no longer than the others.

        Raises RuntimeError where it cannot be started: that must not pass for a finding.
        """
        if findings := await self.compare(None, ""):
            raise RuntimeError(findings[0].sentence)

    async def compare(self, old: str | None, new: str) -> list[Finding]:
        """What `compare_code` says; one breaking finding of the kind 'not_comparable' where the
        child fails, dies or takes too long. Raises RuntimeError after ``close``.
        """
        question = json.dumps([old, new, math.ceil(self._timeout_s) + 1]).encode() + b"\n"
        async with self._lock:
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = await self._answer(question)
            except TimeoutError:
                await self._kill()
                answer = f"it took more than {self._timeout_s:g} s"
            except BaseException:  # a late answer must not be taken for that of the next question
                await self._kill()
                raise
        if isinstance(answer, str):
            sentence = f"The code could not be compared: {one_line(answer)}."
            return [new_finding("not_comparable", "", sentence, None)]
        return [Finding(*each) for each in answer]

    async def close(self) -> None:
        """End the child after the question in hand; when cancelled, before its answer."""
        self._closed = True
        try:
            async with self._lock:
                await self._kill()
        except asyncio.CancelledError:
            if self._process is not None and self._process.returncode is None:
                self._process.kill()
            raise

    async def _answer(self, question: bytes) -> Any:
        """The findings as lists, or a text that says why there are none."""
        is_new = self._process is None
        line = await self._ask(question)
        if not line and not is_new:  # perhaps it had died before the question
            await self._ended()
            line = await self._ask(question)
        if line:
            return json.loads(line)
        status = await self._ended()
        if self._closed:
            raise RuntimeError("the analyst was closed")
        return f"its process ended with status {status}"

    async def _ask(self, question: bytes) -> bytes:
        """The answer; empty where the child has died."""
        if self._closed:
            raise RuntimeError("the analyst was closed")
        if self._process is None:
            self._process = await self._started()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(question)
            await process.stdin.drain()
        except ConnectionError:
            return b""
        return await process.stdout.readline()

    async def _started(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agents.comparer.child"),
            cwd=_ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_MAX_ANSWER_BYTES,
        )

    async def _ended(self) -> int | None:
        """The status of a child that is dying: a signal to it now could take its status away from
        asyncio, which then makes one up (255).
        """
        process = self._process
        if process is None:
            return None
        await process.communicate()  # reads to the end, so that its pipes are closed
        self._process = None
        return process.returncode

    async def _kill(self) -> None:
        """End the child, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.communicate()
