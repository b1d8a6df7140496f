"""Ids of executions: random UUIDs (version 4), made many at a time."""

import os
from collections.abc import Callable, Iterator

_AT_ONCE = 256
_VARIANT_OF = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def random_ids() -> Callable[[], str]:
    """Return a function that gives a new id each time, in a tenth of the time of ``uuid4``.

    Call it in the process that uses it: after a fork both would give the same ids.
    """
    return _ids().__next__


def _ids() -> Iterator[str]:
    while True:
        digits = os.urandom(16 * _AT_ONCE).hex()
        for begin in range(0, len(digits), 32):
            text = digits[begin : begin + 32]
            variant = _VARIANT_OF[text[16]]
            yield f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
