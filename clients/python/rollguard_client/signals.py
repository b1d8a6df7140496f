"""Exceptions that the handler of a signal raises, wherever the program is at that moment."""

import signal
from functools import partial
from traceback import walk_tb
from types import CodeType


def is_of_a_signal_handler(error: BaseException) -> bool:
    """Return whether a handler has raised it: it means the program, and not the code it hit."""
    handlers = {_code_of(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    return any(frame.f_code in handlers for frame, _ in walk_tb(error.__traceback__))


def _code_of(handler: object) -> CodeType | None:
    """Return the code of a signal's handler; None if it is not written in Python."""
    while isinstance(handler, partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)  # of a method
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None
