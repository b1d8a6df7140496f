"""A process that has imported Rollguard, and becomes a program by a fork for each request.

``python -m tests.support.programs.fork_server FD``; FD is its end of a pair of sockets. A request
is a line of JSON. It comes with four file descriptors: stdin, stdout and stderr of the program, and
a socket for its process id and its exit status. The server ends, and kills its programs, when the
other end of FD is closed, which also happens when the tests are killed.
"""

import atexit
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

_IMPORTED: Final = (
    "agents.worker.process",
    "rollguard.backtest_sources",
    "rollguard.cli.app",
    "rollguard.cli.process",
    "rollguard.cli.show",
    "rollguard.operations",
    "rich.markdown",
    "typer.rich_utils",
    "typer._adapters",
)
"""A package stands for all its modules. What prints help is imported late by Typer."""


class Forks:
    """The programs that run, and the sockets that want their exit status."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._waiting: dict[int, socket.socket] = {}
        self._woken, wakes = socket.socketpair()
        self._woken.setblocking(False)
        wakes.setblocking(False)
        self._wakes = wakes
        signal.signal(signal.SIGCHLD, _nothing)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)

    def until_forked(self) -> dict[str, Any] | None:
        """Return the request of a program in the program's process; None in the server at its end.

        The server stays in here as long as the tests run.
        """
        while True:
            ready, _, _ = select.select([self._requests, self._woken], [], [])
            if self._woken in ready:
                self._report_ended()
            if self._requests in ready:
                begin, descriptors, _, _ = socket.recv_fds(self._requests, 1, 4)
                if not begin:
                    self._kill_all()
                    return None
                with self._requests.makefile("rb", buffering=0) as rest:
                    request: dict[str, Any] = json.loads(begin + rest.readline())
                if self._fork(descriptors):
                    return request

    def _fork(self, descriptors: list[int]) -> bool:
        """Return True in the new process, whose stdin, stdout and stderr are the ones given."""
        *streams, reply = descriptors
        pid = os.fork()
        if pid == 0:
            self._forget_the_server()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
        for descriptor in streams:
            os.close(descriptor)
        waiting = socket.socket(fileno=reply)
        if pid == 0:
            waiting.close()
            return True
        self._waiting[pid] = waiting
        waiting.sendall(f"{pid}\n".encode())
        return False

    def _forget_the_server(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for each in (self._requests, self._woken, self._wakes, *self._waiting.values()):
            each.close()

    def _report_ended(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(1024)
        for pid in list(self._waiting):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with self._waiting.pop(pid) as waiting, suppress(OSError):
                    waiting.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())

    def _kill_all(self) -> None:
        for pid in self._waiting:
            os.kill(pid, signal.SIGKILL)


def _nothing(_: int, __: FrameType | None) -> None:
    """Handle SIGCHLD, because a signal that is ignored wakes nobody."""


def _import_all() -> None:
    for name in _IMPORTED:
        package = importlib.import_module(name)
        for folder in getattr(package, "__path__", ()):
            for module in Path(folder).glob("[a-z]*.py"):
                importlib.import_module(f"{name}.{module.stem}")
    gc.freeze()  # what was imported is not looked through again in each program


class _Ending:
    """The end of a program, without taking down all that the server has imported.

    That would copy most of the server's memory, and take several times as long as an average verb.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        atexit.register(self._end)  # the first one is called last

    def run(self, module: str) -> None:
        """Run a module as a program, and remember the exit code that it asks for."""
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as error:
            self.code = error.code if isinstance(error.code, int) else None
            raise

    def _end(self) -> None:
        """End here; if the code is not known or an output cannot be written, end as Python does."""
        if self.code is None:
            return
        with suppress(OSError, ValueError):
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(self.code)


def _serve() -> dict[str, Any] | None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the tests, which stop the rest
    _import_all()
    return Forks(socket.socket(fileno=int(sys.argv[1]))).until_forked()


if __name__ == "__main__":
    ending = _Ending()
    program = _serve()
    if program is not None:
        os.environ.clear()
        os.environ.update(program["environment"])
        os.chdir(program["folder"])
        for stream in program["closed"]:
            os.close(("stdin", "stdout", "stderr").index(stream))
            setattr(sys, stream, None)  # as Python does it at its start
        if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.isatty():
            sys.stdout.reconfigure(line_buffering=True)  # this, too
        sys.argv = [program["module"], *program["arguments"]]
        ending.run(program["module"])
