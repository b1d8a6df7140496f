"""A process that runs the code of a tool, with a keeper that shuts it in and ends all of it."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from rollguard_client.threads import in_thread

_KEEPER: Final = str(Path(__file__).with_name("keeper.py"))
_MAX_LINE_BYTES: Final = 16 * 1024 * 1024
_PART_BYTES: Final = 64 * 1024
_END_S: Final = 2.0
"""How long the keeper may take to end everything."""

log = logging.getLogger("rollguard_client")


class KeptProcess:
    """A keeper with its runner (``keeper.py``, ``runner.py``). Both sides write lines."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        stdin: asyncio.StreamWriter,
        stdout: asyncio.StreamReader,
    ) -> None:
        self._process, self._stdin, self._stdout = process, stdin, stdout

    @classmethod
    async def start(cls, folder: Path, cpu_s: int) -> "KeptProcess":
        """Start a process without environment variables, which works in the folder.

        asyncio's own processes need a watcher of children, and uvloop's policy has none.
        """
        process = subprocess.Popen(  # noqa: ASYNC220 - asyncio starts its own in the same way
            [sys.executable, "-I", "-S", _KEEPER, str(cpu_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={},
            cwd=folder,
        )
        try:
            return cls(process, *await _streams_of(process))
        except BaseException:
            process.kill()
            raise

    async def require_separated(self) -> None:
        """Read the first line, and warn if the tool has the engine's network."""
        if (line := await self.read_line()) != "separated":
            _warn_of_network(line)

    async def write_line(self, line: str) -> None:
        """Write a line. If the process is gone, nothing happens: ``read_line`` says so."""
        with suppress(ConnectionError):
            self._stdin.write(line.encode() + b"\n")
            await self._stdin.drain()

    async def read_line(self) -> str:
        """Read a line. ChildProcessError if the process has ended, ValueError if it is no text."""
        line = await self._stdout.readline()
        if not line.endswith(b"\n"):
            raise ChildProcessError(f"the tool's process ended with {await self._exit_code()}")
        return line.decode().removesuffix("\n")

    async def kill(self) -> None:
        """End the process and everything that it has started."""
        if not self._stdin.is_closing():
            self._stdin.transport.abort()  # tells the keeper to end everything
        try:
            await asyncio.wait_for(self._ended(), _END_S)
        except asyncio.TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._exit_code()

    async def _ended(self) -> None:
        """Return when the process has ended. It is read to its end, so that the pipe is closed."""
        while await self._stdout.read(_PART_BYTES):
            pass
        await self._exit_code()

    async def _exit_code(self) -> int:
        return await in_thread(self._process.wait)


async def _streams_of(
    process: "subprocess.Popen[bytes]",
) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    loop, stdout = asyncio.get_running_loop(), asyncio.StreamReader(_MAX_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdout), process.stdout)
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), process.stdin
    )
    return asyncio.StreamWriter(transport, protocol, None, loop), stdout


@cache
def _warn_of_network(reason: str) -> None:
    """Log it; only once for each reason, because it is so for each tool."""
    log.warning("tools in child processes have the network of this process: %s", reason)
