"""Start a module of Rollguard as a program that needs no time for its imports."""

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

_Stream = IO[Any] | int


class Program:
    """A process that runs a module, with what tests use of ``asyncio.subprocess.Process``."""

    def __init__(
        self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._reader, self._writer = reader, writer
        self._ended = asyncio.ensure_future(self._until_ended())

    @classmethod
    async def start(
        cls,
        module: str,
        *arguments: str,
        stdin: _Stream = subprocess.DEVNULL,
        stdout: _Stream,
        stderr: _Stream,
        env: Mapping[str, str],
        folder: Path | None = None,
        closed: Sequence[str] = (),
    ) -> Self:
        """Run ``python -m MODULE ARGUMENTS`` in ``folder``, by default the tests' own.

        The streams in ``closed`` (such as ``stdin``) are closed, as a shell does it for ``<&-``.
        """
        request = {
            "module": module,
            "arguments": arguments,
            "environment": dict(env),
            "folder": str(folder or Path.cwd()),
            "closed": closed,
        }
        ours, theirs = socket.socketpair()
        with theirs, Path(os.devnull).open("rb") as nothing:
            streams = [
                nothing.fileno() if each == subprocess.DEVNULL else _number(each)
                for each in (stdin, stdout, stderr)
            ]
            line = json.dumps(request).encode() + b"\n"
            socket.send_fds(_server(), [line[:1]], [*streams, theirs.fileno()])
            _server().sendall(line[1:])
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(int(await reader.readline()), reader, writer)

    async def wait(self) -> int:
        """Return the exit code once the process has ended; it is negative after a signal."""
        return await asyncio.shield(self._ended)

    def send_signal(self, number: int) -> None:
        """Send the signal, if the process has not ended."""
        if not self._ended.done():
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    async def _until_ended(self) -> int:
        code = int(await self._reader.readline())
        self.returncode = code
        self._writer.close()
        return code


def _number(stream: _Stream) -> int:
    return stream if isinstance(stream, int) else stream.fileno()


@cache
def _server() -> socket.socket:
    """Start the fork server of this process once, and return the socket for requests to it."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "tests.support.programs.fork_server", str(theirs.fileno())]
    with theirs:
        server = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )

    def end() -> None:
        ours.close()
        server.wait(10)

    atexit.register(end)
    return ours
