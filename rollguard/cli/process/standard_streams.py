"""The standard streams of a verb. If one of them fails, that is one line and exit code 1.

A stream that is closed is refused at once, because the next file or connection would get its
number: what a verb prints would then go into a connection.
"""

import io
import os
import sys
from contextlib import suppress
from typing import Final, NoReturn

_STDOUT: Final = 1
_STDERR: Final = 2


class StreamFailed(Exception):
    """A standard stream that is closed, or an output that takes nothing any more.

    It is no RollguardError, so that no verb takes it for the failure of its work.
    """


class _Output(io.TextIOWrapper):
    """Standard output, whose failures have an exception of their own."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            _fail(error)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            _fail(error)


class _Messages(io.TextIOWrapper):
    """Standard error: if it fails, nobody can be told, so nothing happens."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def _fail(error: OSError) -> NoReturn:
    """Let what is still buffered go nowhere, so that Python ends without a further error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDOUT)
    os.close(nowhere)
    raise StreamFailed(f"the output cannot be written: {error.strerror}") from error


def open_standard_streams() -> None:
    """Make stdout and stderr take every text. StreamFailed if stdin or stdout is closed."""
    if sys.stderr is None:
        _open_nowhere(_STDERR)
    sys.stderr = _Messages(_writer(_STDERR), "utf-8", "backslashreplace", line_buffering=True)
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None:
            raise StreamFailed(f"the standard {name} is closed; use /dev/null if you need none")
    sys.stdout = _Output(
        _writer(_STDOUT), "utf-8", "backslashreplace", line_buffering=os.isatty(_STDOUT)
    )


def _writer(number: int) -> io.BufferedWriter:
    return io.BufferedWriter(io.FileIO(number, "w", closefd=False))


def _open_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
