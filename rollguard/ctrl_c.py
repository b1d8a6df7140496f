"""Ctrl-C while a program starts or ends, when there is nothing to clean up.

The imports of a verb take up to a second. A KeyboardInterrupt that is raised in the middle of them
prints a traceback, or a library catches it.
"""

import os
import signal
from types import FrameType

_CODE = 130
"""The exit code of a program that Ctrl-C has ended, as a shell reports it."""


def end_at_once() -> None:
    """End this process silently at Ctrl-C, until another handler is set."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """Raise KeyboardInterrupt at Ctrl-C, as Python does by default."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(_CODE)
