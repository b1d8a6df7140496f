"""The lines of a file or a pipe, as soon as they are there."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import BinaryIO, Final

_AT_ONCE: Final = 1_048_576
_WAITING: Final = 2
"""How many parts are read before the one that is being used."""

_Part = list[bytes] | OSError | None


async def incoming_lines(file: BinaryIO) -> AsyncGenerator[list[bytes], None]:
    """Yield the lines, some at a time, without waiting for more than are there.

    The last line may have no line feed. Raises OSError if the file cannot be read.
    """
    parts: asyncio.Queue[_Part] = asyncio.Queue(_WAITING)
    loop = asyncio.get_running_loop()
    # A daemon, because nothing ends a read of a pipe that stays silent. It reads the descriptor
    # itself, because Python closes buffered files at its end and would wait for the reader.
    threading.Thread(target=_read, args=(file.fileno(), parts, loop), daemon=True).start()
    while (part := await parts.get()) is not None:
        if isinstance(part, OSError):
            raise part
        yield part


def _read(number: int, parts: "asyncio.Queue[_Part]", loop: asyncio.AbstractEventLoop) -> None:
    def put(part: _Part) -> None:
        asyncio.run_coroutine_threadsafe(parts.put(part), loop).result()

    begun: list[bytes] = []  # the pieces of the line that has not ended
    with suppress(RuntimeError, asyncio.CancelledError):  # the loop was closed
        try:
            while piece := os.read(number, _AT_ONCE):
                first, *lines = piece.split(b"\n")
                begun.append(first)
                if lines:
                    put([b"".join(begun), *lines[:-1]])
                    begun = lines[-1:]
            put([b"".join(begun)])
            put(None)
        except OSError as error:
            put(error)
