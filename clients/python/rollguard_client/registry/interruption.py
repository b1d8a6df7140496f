"""Which exceptions interrupt us, and which ones are failures of code that we have called.

The code of a tool may raise anything: ``sys.exit()`` at the level of its module, a
KeyboardInterrupt, a CancelledError. That is its failure, and must not end the engine.
"""

import asyncio
import dis
from types import TracebackType
from typing import Final

from rollguard_client.signals import is_of_a_signal_handler

_RAISES: Final = {dis.opmap[name] for name in ("RAISE_VARARGS", "RERAISE")}


class Contained:
    """A block that runs code of others: what that raises ends the block, and nothing else.

    What interrupts us is raised all the same.
    """

    error: BaseException | None = None
    """What the block raised; None as long as it has raised nothing."""

    def __enter__(self) -> "Contained":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None or is_interruption(error):
            return False
        self.error = error
        return True


def is_interruption(error: BaseException) -> bool:
    """Return whether somebody wants us to stop, so that the exception must be raised again.

    That is the cancellation of the current task, a signal to the process (by its handler, or by
    Python's own for Ctrl-C), and the end of the coroutine that runs. Call it where the exception
    was caught.
    """
    if isinstance(error, Exception):
        return False
    if _is_cancelled_now(error):
        return True
    if is_of_a_signal_handler(error):
        return True
    return isinstance(error, (KeyboardInterrupt, GeneratorExit)) and not _is_raised_by_code(error)


def _is_cancelled_now(error: BaseException) -> bool:
    """Return whether the current task is cancelled. Python 3.10 cannot say who has raised it."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False  # a thread without an event loop
    if task is None:
        return False
    cancelling = getattr(task, "cancelling", None)
    if cancelling is None:
        return isinstance(error, asyncio.CancelledError)
    return bool(cancelling() > 0)


def _is_raised_by_code(error: BaseException) -> bool:
    """Return whether a ``raise`` has raised it.

    Python's own handler of Ctrl-C, and the end of a coroutine, raise it where no ``raise`` stands.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_code[trace.tb_lasti] in _RAISES
